/** `torc workflows pause|resume`, `torc jobs hold|release`: what waits until a person says so. */
import type { Command } from 'commander';
import type { ResumeKeyOptions } from '../actions/workflows-resume.ts';
import { addRunningOptions, wholeNumber } from '../input/options.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { addJobArguments, keyArgument, keysArgument } from './arguments.ts';
import { type Act, examples, pathOf } from './declare.ts';

/** Of `torc workflows` or of the program. */
export function declareWorkflowPauses(group: Command, act: Act): void {
  const pause = group
    .command('pause')
    .description('start no more jobs of a workflow; running jobs continue, and idle workers stay for ten minutes')
    .argument('[keys...]', keysArgument)
    .option('-y, --yes', 'do not ask when a pattern chooses the workflows')
    .addHelpText('after', examples(`${pathOf(group, 'pause')} 7`, `${pathOf(group, 'resume')} 7`));
  act(pause, async (keys, self) => {
    const { pauseWorkflows } = await import('../actions/pauses.ts');
    return (context) => pauseWorkflows(context, keys, self.opts<{ yes?: boolean }>());
  });
  const resume = group
    .command('resume')
    .description('continue a workflow: end its pause, or start the next run with what has not succeeded')
    .argument('[key]', keyArgument)
    .option('-i, --ignore-missing-data', 'continue even if input files or user data are missing')
    .option('--schedule <n>', 'submit this many Slurm allocations for it', wholeNumber('--schedule', 1))
    .option('-s, --scheduler-key <config>', 'with --schedule: key or name of the Slurm config (default: the only one)')
    .option('-o, --output <directory>', 'with --schedule: output directory (default: TORC_OUTPUT_DIR or ./torc_output)')
    .option('-d, --dry-run', 'show what would change without changing anything');
  addRunningOptions(resume).addHelpText(
    'after',
    `
A paused workflow goes on with what waits; failed jobs stay as they are. Otherwise failed, canceled and lost jobs, and
everything downstream of them, run again. Ends with 7 when every job is done, with 4 when the workflow has neither
started nor is paused.
${examples(
  `${pathOf(group, 'resume')} 7`,
  `${pathOf(group, 'resume')} 7 --schedule 2`,
  `${pathOf(group, 'resume')} 7 --stop-running --resume-timeout 60 --dry-run`,
).trimStart()}`,
  );
  act(resume, async ([key], self) => {
    const { resumeWorkflow } = await import('../actions/workflows-resume.ts');
    return (context) => resumeWorkflow(context, key ?? null, self.opts<ResumeKeyOptions>());
  });
}

export function declareJobHolds(group: Command, act: Act): void {
  const hold = addJobArguments(
    group.command('hold').description('keep jobs that have not started from starting until they are released'),
  )
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs hold 12 13', "torc jobs hold 'sim_*'"));
  act(hold, async (keys, self) => {
    const { holdJobs } = await import('../actions/pauses.ts');
    return (context) => holdJobs(context, keys, true, self.opts<PlanOptions>());
  });
  const release = addJobArguments(group.command('release').description('let held jobs start'))
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs release 12 13', "torc jobs release 'sim_*' --yes"));
  act(release, async (keys, self) => {
    const { holdJobs } = await import('../actions/pauses.ts');
    return (context) => holdJobs(context, keys, false, self.opts<PlanOptions>());
  });
}
