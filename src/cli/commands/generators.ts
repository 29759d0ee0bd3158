/** `torc generators add|put|list|show|pause|resume|run|delete`: workflows of items that were collected. */
import { type Command, Option } from 'commander';
import type { AddGeneratorOptions, PutOptions } from '../actions/generators.ts';
import { addListOptions, listOptions, someTime, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

const nameArgument = 'the name of a generator';

export function declareGenerators(program: Command, act: Act): void {
  const group = program
    .command('generators')
    .description('collect items until there are enough of them, then start one workflow with all of them');
  declareAdd(group, act);
  declarePut(group, act);
  const list = group
    .command('list')
    .description('show the generators, and how many items wait in each')
    .addHelpText('after', examples('torc generators list', 'torc generators list --sort-by num_items --reverse-sort'));
  act(addListOptions(list), async () => {
    const { listGenerators } = await import('../actions/generators.ts');
    return (context) => listGenerators(context, listOptions(list));
  });
  declareOthers(group, act);
}

function declareAdd(group: Command, act: Act): void {
  const add = group
    .command('add')
    .description('create a generator: enough items start a workflow of this specification')
    .argument('<name>', 'a name of your choice')
    .argument('<spec>', 'specification with an action schedule_nodes on_workflow_start, or - for standard input')
    .requiredOption(
      '--items <n>',
      'start a workflow when this many items wait, at most 1000',
      wholeNumber('--items', 1),
    )
    .option('--max-wait <duration>', 'or with fewer, when the first one has waited this long (PT5M, 90s)', someTime)
    .addOption(
      new Option('--overlap <rule>', 'while the previous workflow has not ended: run both, or let the next one wait')
        .choices(['allow', 'queue'])
        .default('allow'),
    )
    .option('--paused', 'collect items, but run nothing until torc generators resume')
    .option('-d, --dry-run', 'check the specification without changing anything')
    .addHelpText(
      'after',
      `
The specification gets the items as the values of its parameter item (written as parameters: {item: [example]}), as the
data of its user data items, or as both. Its text may also contain the variables of schedules (torc schedules add --help).
${examples(
  'torc generators add convert convert.yaml --items 100 --max-wait PT5M',
  'torc generators put convert a.nc b.nc',
).trimStart()}`,
    );
  act(add, async ([name = '', spec = ''], self) => {
    const { addGenerator } = await import('../actions/generators.ts');
    return (context) => addGenerator(context, name, spec, self.opts<AddGeneratorOptions>());
  });
}

function declarePut(group: Command, act: Act): void {
  const put = group
    .command('put')
    .description('give items to a generator')
    .argument('<name>', nameArgument)
    .argument('[items...]', 'texts, or with --json values such as 3 or {"a": 1}')
    .option('--json', 'read each item as JSON')
    .option('-f, --file <file>', 'items, one on each line; - for standard input')
    .option('--id <id>', 'of a single item: an id that the generator already has is not added again')
    .addHelpText(
      'after',
      examples(
        'torc generators put convert a.nc b.nc',
        'ls *.nc | torc generators put convert --file -',
        `torc generators put convert --json '{"path": "a.nc", "year": 2026}' --id a.nc`,
      ),
    );
  act(put, async ([name = '', ...items], self) => {
    const { putItems } = await import('../actions/generators.ts');
    return (context) => putItems(context, name, items, self.opts<PutOptions>());
  });
}

function declareOthers(group: Command, act: Act): void {
  const named = (word: string, description: string): Command =>
    group
      .command(word)
      .description(description)
      .argument('<name>', nameArgument)
      .addHelpText('after', examples(`torc generators ${word} convert`));
  act(named('show', 'show a generator, and its last workflows'), async ([name = '']) => {
    const { showSchedule } = await import('../actions/schedules.ts');
    return (context) => showSchedule(context, name, 20, 'generator');
  });
  act(named('pause', 'collect items without starting workflows'), async ([name = '']) => {
    const { pauseSchedule } = await import('../actions/schedules.ts');
    return (context) => pauseSchedule(context, name, true, 'generator');
  });
  act(named('resume', 'end a pause'), async ([name = '']) => {
    const { pauseSchedule } = await import('../actions/schedules.ts');
    return (context) => pauseSchedule(context, name, false, 'generator');
  });
  act(named('run', 'start a workflow of the items that wait, however few they are'), async ([name = '']) => {
    const { runSchedule } = await import('../actions/schedules.ts');
    return (context) => runSchedule(context, name, 'generator');
  });
  act(named('delete', 'delete a generator and the items that wait in it; its workflows stay'), async ([name = '']) => {
    const { deleteSchedule } = await import('../actions/schedules.ts');
    return (context) => deleteSchedule(context, name, 'generator');
  });
}
