/** `torc reports resources` and `torc workflows correct-resources`: what jobs use against what they ask for. */
import type { Command } from 'commander';
import type { CorrectOptions } from '../actions/resource-use.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareReports(program: Command, act: Act): void {
  const group = program.command('reports').description('what the jobs of a workflow have used');
  const resources = group
    .command('resources')
    .description('compare what jobs use with what they ask for, and propose values; similar jobs are one row')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc reports resources 7', "torc -F json reports resources | jq '.usage'"));
  act(resources, async ([key]) => {
    const { reportResources } = await import('../actions/resource-use.ts');
    return (context) => reportResources(context, key ?? null);
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
