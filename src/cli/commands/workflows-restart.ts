/** `torc workflows restart|reset-status`: after failures of jobs, nodes or data. */
import type { Command } from 'commander';
import type { ResetWorkflowOptions } from '../actions/workflows-reset.ts';
import type { RestartOptions } from '../actions/workflows-restart.ts';
import { decimalNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareRecovery(group: Command, act: Act): void {
  declareRestart(group, act);
  declareReset(
    group,
    act,
    'reset-status',
    'reset jobs and all downstream jobs, so that the next restart runs them again',
  );
  declareReset(group, act, 'reset-job-status', 'older name of reset-status');
  declareReset(group, act, 'reset', 'shorter name of reset-status');
}

function declareRestart(group: Command, act: Act): void {
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
        'torc workflows restart --dry-run',
        'torc workflows restart 7',
        'torc workflows restart 7 --stop-running --timeout 60',
        "torc -F json workflows restart 7 -d | jq -r '.changes[] | select(.diagnosis) | .job_key'",
      ),
    );
  act(restart, async ([key], self) => {
    const { restartWorkflow } = await import('../actions/workflows-restart.ts');
    return (context) => restartWorkflow(context, key ?? null, self.opts<RestartOptions>());
  });
}

function declareReset(group: Command, act: Act, name: string, description: string): void {
  const reset = group
    .command(name)
    .description(description)
    .argument('[keys...]', keyArgument)
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
