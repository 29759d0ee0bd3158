/** `torc resource-requirements ..`: named requirements of jobs. */
import type { Command } from 'commander';
import { parseDuration, parseMemory } from '../../base/units.ts';
import type { ResourceOptions } from '../input/changed-fields.ts';
import { namedResources } from '../input/named-resources.ts';
import { decimalNumber, readable, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';
import { declareList } from './lists.ts';

function addAmounts(command: Command): Command {
  return command
    .option('--num-cpus, --cpus <n>', 'CPUs', wholeNumber('the number of CPUs', 1))
    .option('--memory <size>', 'memory, such as 8g', readable(parseMemory))
    .option(
      '--num-gpus, --gpus <n>',
      'whole GPUs, or a fraction of one such as 0.5',
      decimalNumber('the number of GPUs', 0),
    );
}

export function addResourceOptions(command: Command): Command {
  return addAmounts(command)
    .option('--runtime <duration>', "maximum runtime as an ISO 8601 duration, such as PT2H; '' for no limit", (text) =>
      text === '' ? text : readable(parseDuration)(text),
    )
    .option(
      '--expected-runtime <duration>',
      "what must be left for it to start, if less; '' for the runtime",
      (text) => (text === '' ? text : readable(parseDuration)(text)),
    )
    .option(
      '--resource <name=n>',
      "named resources of the node, such as fpga=1; may be repeated; instead of those before, '' for none",
      namedResources,
    )
    .option('--dry-run', 'show what would change without changing anything');
}

export function declareResourceRequirements(program: Command, act: Act): void {
  const group = program
    .command('resource-requirements')
    .description('CPUs, memory, GPUs and runtime that jobs request');
  declareList(
    group
      .command('list')
      .description('list the named resource requirements of a workflow')
      .addHelpText('after', examples('torc resource-requirements list')),
    'resource_requirements',
    act,
  );
  const modify = addResourceOptions(
    group
      .command('modify')
      .description('change these requirements for all jobs that use them; running jobs keep what they have')
      .argument('<name-or-key>', 'name or key of the requirements'),
  ).addHelpText(
    'after',
    examples(
      'torc resource-requirements modify large --memory 64g',
      'torc resource-requirements modify large --memory 64g --runtime PT8H --dry-run',
    ),
  );
  const named = group
    .command('add')
    .description('add named requirements; what is not given is not limited')
    .argument('<name>', 'name, unique in the workflow');
  const add = addAmounts(named)
    .option(
      '--num-nodes, --nodes <n>',
      'whole nodes; the other values are per node',
      wholeNumber('the number of nodes', 1),
    )
    .option('--runtime <duration>', 'maximum runtime as an ISO 8601 duration, such as PT2H', readable(parseDuration))
    .option('--expected-runtime <duration>', 'what must be left for it to start, if less', readable(parseDuration))
    .option('--resource <name=n>', 'a named resource of the node, such as fpga=1; may be repeated', namedResources)
    .addHelpText('after', examples('torc resource-requirements add large --num-cpus 8 --memory 64g --runtime PT4H'));
  act(add, async ([name = ''], self) => {
    const { addRequirements } = await import('../actions/resource-requirements.ts');
    return (context) => addRequirements(context, name, self.opts<ResourceOptions>());
  });
  act(modify, async ([nameOrKey = ''], self) => {
    const { modifyRequirements } = await import('../actions/resource-requirements.ts');
    return (context) => modifyRequirements(context, nameOrKey, self.opts<ResourceOptions>());
  });
}
