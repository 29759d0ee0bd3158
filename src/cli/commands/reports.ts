/** `torc reports resources`, `torc reports usage` and `torc workflows correct-resources`: what jobs use against what they ask for. */
import { type Command, Option } from 'commander';
import type { CorrectOptions } from '../actions/resource-use.ts';
import type { UsageOptions } from '../actions/usage-hours.ts';
import { parseColumns } from '../input/filters.ts';
import { filters, wholeNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareReports(program: Command, act: Act): void {
  const group = program.command('reports').description('what the jobs and the allocations of workflows have used');
  const resources = group
    .command('resources')
    .description('compare what jobs use with what they ask for, and propose values; similar jobs are one row')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc reports resources 7', "torc -F json reports resources | jq '.usage'"));
  act(resources, async ([key]) => {
    const { reportResources } = await import('../actions/resource-use.ts');
    return (context) => reportResources(context, key ?? null);
  });
  declareUsage(group, act);
}

function declareUsage(group: Command, act: Act): void {
  const usage = group
    .command('usage')
    .description('node-hours and CPU-hours of allocations and other workers, what jobs used of them, and what was idle')
    .argument('[keys...]', 'workflows (default: one; with --by workflow all that are not archived)')
    .addOption(
      new Option('--by <rows>', 'a row for each allocation, or for each workflow')
        .choices(['allocation', 'workflow'])
        .default('allocation'),
    )
    .option('-f, --filter <column=value>', 'only rows with this value; may be repeated (all must match)', filters, [])
    .option('-l, --limit <n>', 'show at most this many rows (default: all)', wholeNumber('the limit', 1))
    .option('--sort-by <column>', 'sort by this column (default: by start, or by key)')
    .option('--reverse-sort', 'sort in descending order')
    .option('--columns <a,b,c>', 'columns of text and csv, in this order, instead of the usual ones', parseColumns)
    .addHelpText(
      'after',
      `
CPU-hours: what the nodes had (cpu_hours), what of it jobs were given (in_jobs), and what they used (used). Idle is the share that
no job was given. Running allocations count up to now.
${examples(
  'torc reports usage 7',
  'torc reports usage --by workflow',
  'torc reports usage 7 --sort-by idle_share --reverse-sort -l 5',
  "torc -F json reports usage 7 | jq '.total.node_hours'",
).trimStart()}`,
    );
  act(usage, async (words, self) => {
    const { reportUsage } = await import('../actions/usage-hours.ts');
    return (context) => reportUsage(context, words, self.opts<UsageOptions>());
  });
}

export function declareCorrectResources(group: Command, act: Act): void {
  const correct = group
    .command('correct-resources')
    .description('give jobs that are still to run the memory and runtime that torc reports resources proposes')
    .argument('[key]', keyArgument)
    .option('--only-up', 'only raise requests that are too small')
    .option('--only-down', 'only lower requests of which less than half is used')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText(
      'after',
      examples('torc workflows correct-resources 7 --dry-run', 'torc workflows correct-resources 7 --only-up'),
    );
  act(correct, async ([key], self) => {
    const { correctResources } = await import('../actions/resource-use.ts');
    return (context) => correctResources(context, key ?? null, self.opts<CorrectOptions>());
  });
}
