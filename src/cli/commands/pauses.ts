/** `torc workflows pause|resume`, `torc jobs hold|release`: what waits until a person says so. */
import type { Command } from 'commander';
import type { PlanOptions } from '../plans/apply.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareWorkflowPauses(group: Command, act: Act): void {
  const pause = group
    .command('pause')
    .description('start no more jobs of a workflow; running jobs continue, and idle workers stay for ten minutes')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc workflows pause 7', 'torc workflows resume 7'));
  act(pause, async ([key]) => {
    const { pauseWorkflow } = await import('../actions/pauses.ts');
    return (context) => pauseWorkflow(context, key ?? null, true);
  });
  const resume = group
    .command('resume')
    .description('let jobs of a paused workflow start again')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc workflows resume 7'));
  act(resume, async ([key]) => {
    const { pauseWorkflow } = await import('../actions/pauses.ts');
    return (context) => pauseWorkflow(context, key ?? null, false);
  });
}

export function declareJobHolds(group: Command, act: Act): void {
  const hold = group
    .command('hold')
    .description('keep jobs that have not started from starting until they are released')
    .argument('<keys...>', 'job keys, all of one workflow')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs hold 12 13', 'torc jobs hold 12 --dry-run'));
  act(hold, async (keys, self) => {
    const { holdJobs } = await import('../actions/pauses.ts');
    return (context) => holdJobs(context, keys, true, self.opts<PlanOptions>());
  });
  const release = group
    .command('release')
    .description('let held jobs start')
    .argument('<keys...>', 'job keys, all of one workflow')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs release 12 13', 'torc jobs release 12 --dry-run'));
  act(release, async (keys, self) => {
    const { holdJobs } = await import('../actions/pauses.ts');
    return (context) => holdJobs(context, keys, false, self.opts<PlanOptions>());
  });
}
