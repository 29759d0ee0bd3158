/** `torc clone|rerun`, also as `torc workflows clone|rerun`: a new workflow with the jobs of another. */
import type { Command } from 'commander';
import type { CopyOptions } from '../actions/copies.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

/** Of the program or of `torc workflows`. */
export function declareCopies(group: Command, act: Act): void {
  const path = group.name() === 'torc' ? 'torc' : `torc ${group.name()}`;
  const clone = addCopyOptions(
    group
      .command('clone')
      .description('copy a workflow in any state to a new one whose jobs all run; the original stays as it is'),
  ).addHelpText(
    'after',
    examples(`${path} clone 7`, `${path} clone 7 --name 'second try' --start`, `${path} clone 7 --dry-run`),
  );
  act(clone, async ([key], self) => {
    const { copyWorkflow } = await import('../actions/copies.ts');
    return (context) => copyWorkflow(context, 'clone', key ?? null, self.opts<CopyOptions>());
  });
  const rerun = addCopyOptions(
    group
      .command('rerun')
      .description(
        'run what failed or never ran in a new workflow, which inherits the other results; the original keeps its counts',
      ),
  ).addHelpText(
    'after',
    `
Jobs downstream of a job that runs run as well. To go on in the same workflow instead: torc workflows restart.
${examples(`${path} rerun 7 --dry-run`, `${path} rerun 7 --start`, `KEY=$(torc -F json ${path.slice(5)}${path === 'torc' ? '' : ' '}rerun 7 | jq -r .workflow_key)`).trimStart()}`,
  );
  act(rerun, async ([key], self) => {
    const { copyWorkflow } = await import('../actions/copies.ts');
    return (context) => copyWorkflow(context, 'rerun', key ?? null, self.opts<CopyOptions>());
  });
}

function addCopyOptions(command: Command): Command {
  return command
    .argument('[key]', keyArgument)
    .option('--name <name>', 'name of the new workflow (default: that of the original)')
    .option('--start', 'start the new workflow: its jobs become ready for workers')
    .option('-i, --ignore-missing-data', 'with --start: start even if input files or user data are missing')
    .option('-d, --dry-run', 'show what would be made without making it');
}
