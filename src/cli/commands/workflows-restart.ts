/** `torc workflows restart|reset-status`: after failures of jobs, nodes or data. */
import type { Command } from 'commander';
import type { RecoverOptions } from '../actions/recover.ts';
import type { RerunFailedOptions } from '../actions/rerun-failed.ts';
import type { ResetWorkflowOptions } from '../actions/workflows-reset.ts';
import type { RestartOptions } from '../actions/workflows-restart.ts';
import { decimalNumber, wholeNumber } from '../input/options.ts';
import { readFactor } from '../input/recovery-options.ts';
import { keyArgument, keysArgument } from './arguments.ts';
import { type Act, examples, pathOf } from './declare.ts';

export function declareRecovery(group: Command, act: Act): void {
  declareRestart(group, act);
  declareRecover(group, act);
  declareReset(
    group,
    act,
    'reset-status',
    'reset jobs and all downstream jobs, so that the next restart runs them again',
  );
  declareReset(group, act, 'reset-job-status', 'older name of reset-status');
  declareReset(group, act, 'reset', 'shorter name of reset-status');
}

/** Of `torc workflows` or of the program. */
export function declareRestart(group: Command, act: Act): void {
  const path = pathOf(group, 'restart');
  const restart = group
    .command('restart')
    .description('start the next run: jobs that did not finish or whose inputs changed run again')
    .argument('[key]', keyArgument)
    .option('-d, --dry-run', 'show what would change, and why jobs were lost, without changing anything')
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('--only-uninitialized', 'run only jobs that were reset; leave all others alone')
    .option('--keep-running', 'let running jobs continue and restart the others')
    .option('--stop-running', 'stop running jobs first and wait until they have ended')
    .option('--timeout <seconds>', 'with --stop-running: wait at most this long', decimalNumber('the timeout', 0), 300)
    .option('--force', 'treat jobs of silent workers as dead')
    .addHelpText(
      'after',
      examples(
        `${path} --dry-run`,
        `${path} 7`,
        `${path} 7 --stop-running --timeout 60`,
        `${path} 7 -d -F json | jq -r '.changes[] | select(.diagnosis) | .job_key'`,
      ),
    );
  act(restart, async ([key], self) => {
    const { restartWorkflow } = await import('../actions/workflows-restart.ts');
    return (context) => restartWorkflow(context, key ?? null, self.opts<RestartOptions>());
  });
}

/** The same, with what failed for a reason that a larger request or another node cures. */
export function declareRecover(group: Command, act: Act): void {
  const path = pathOf(group, 'recover');
  const recover = group
    .command('recover')
    .description('run failed and lost jobs again, with more memory or time where they ran out of it, and get nodes')
    .argument('[key]', keyArgument)
    .option('--memory-multiplier <factor>', 'for jobs that ran out of memory (default: 1.5)', readFactor)
    .option('--runtime-multiplier <factor>', 'for jobs that ran out of time (default: 1.5)', readFactor)
    .option('--retry-unknown', 'also run jobs again that failed for other reasons, as before')
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('--keep-running', 'let running jobs continue')
    .option('--force', 'treat jobs of silent workers as dead')
    .option('-y, --yes', 'do not ask')
    .option('-d, --dry-run', 'show the plan without changing anything')
    .addHelpText(
      'after',
      `
One plan: jobs that ran out of memory or time get more of it, as the scale rule of their failure handler says, else by the factor, but
no more than their workers can have. Jobs that were lost with their node or allocation run again as before, and so do those that were
killed because another job took the memory. Other failures stay as they are, and so do jobs that a person canceled. Then the
workflow restarts, and allocations like the earlier ones are submitted, as many as the ready jobs need; an autoscaler asks for them
itself.

On a terminal it asks about each kind of failure, shows the plan and asks before it changes anything; with --yes or -n, or without a
terminal, it does not ask. Ends with 7 when nothing is left to run, and with 6 when Slurm refuses an allocation.
${examples(
  `${path} 7 --dry-run`,
  `${path} 7`,
  `${path} 7 --memory-multiplier 2 --yes`,
  `${path} 7 -d -F json | jq -r '.recovered.scaled[].why'`,
).trimStart()}`,
    );
  act(recover, async ([key], self) => {
    const { recoverWorkflow } = await import('../actions/recover.ts');
    return (context) => recoverWorkflow(context, key ?? null, self.opts<RecoverOptions>());
  });
}

function declareReset(group: Command, act: Act, name: string, description: string): void {
  const reset = group
    .command(name)
    .description(description)
    .argument('[keys...]', keysArgument)
    .option('-y, --yes', 'do not ask when a pattern chooses the workflows')
    .option('-f, --failed-only', 'only jobs that failed (return code other than 0) and all downstream jobs')
    .option('-p, --partial', 'only jobs that have not succeeded and all downstream jobs; disabled ones stay')
    .option('-r, --restart', 'restart the workflow afterwards')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText(
      'after',
      examples(
        `torc workflows ${name} --failed-only 7`,
        `torc workflows ${name} 7 -f -r`,
        `torc workflows ${name} 7 --partial`,
        `torc workflows ${name} 7 8 9 --dry-run`,
      ),
    );
  act(reset, async (keys, self) => {
    const { resetWorkflows } = await import('../actions/workflows-reset.ts');
    return (context) => resetWorkflows(context, keys, self.opts<ResetWorkflowOptions>());
  });
}

export function declareRerunFailed(program: Command, act: Act): void {
  const rerun = program
    .command('rerun-failed')
    .description('run failed and lost jobs and all downstream jobs again: reset them, restart the workflow')
    .argument('[keys...]', keyArgument)
    .option('--run', 'then run the jobs on this machine')
    .option('--schedule <n>', 'then submit this many allocations', wholeNumber('--schedule', 1))
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText(
      'after',
      `
The same as torc workflows reset-status --failed-only --restart. Ends with 7 when no job has failed, and with --run as
torc jobs run does.
${examples('torc rerun-failed 7 --dry-run', 'torc rerun-failed 7 --run', 'torc rerun-failed 7 --schedule 2').trimStart()}`,
    );
  act(rerun, async (keys, self) => {
    const { rerunFailed } = await import('../actions/rerun-failed.ts');
    return (context) => rerunFailed(context, keys, self.opts<RerunFailedOptions>());
  });
}
