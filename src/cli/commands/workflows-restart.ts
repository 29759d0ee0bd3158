/** `torc workflows restart|reset-status`: what is done after jobs, nodes or data failed. */
import type { Command } from 'commander';
import type { ResetWorkflowOptions } from '../actions/workflows-reset.ts';
import type { RestartOptions } from '../actions/workflows-restart.ts';
import { decimalNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareRecovery(group: Command, act: Act): void {
  declareRestart(group, act);
  declareReset(group, act, 'reset-status', 'make jobs run again with the next restart, and all jobs behind them');
  declareReset(group, act, 'reset-job-status', 'the older name of reset-status');
}

function declareRestart(group: Command, act: Act): void {
  const restart = group
    .command('restart')
    .description('begin the next run: jobs that did not finish, or whose inputs changed, run again')
    .argument('[key]', keyArgument)
    .option('-d, --dry-run', 'print what would change and why jobs were lost; change nothing')
    .option('-i, --ignore-missing-data', 'begin although input files or user data are missing')
    .option('--only-uninitialized', 'leave all jobs alone but those that were reset')
    .option('--keep-running', 'let running jobs go on, restart the others')
    .option('--stop-running', 'stop running jobs first and wait until they are gone')
    .option('--timeout <seconds>', 'with --stop-running: wait at most this long', decimalNumber('the time-out', 0), 300)
    .option('--force', 'jobs of workers that are not heard from are known to be dead')
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
    .option('-f, --failed-only', 'only jobs that ended with a return code other than 0, and all behind them')
    .option('-r, --restart', 'restart the workflow after it')
    .option('-d, --dry-run', 'print what would change; change nothing')
    .addHelpText(
      'after',
      examples(
        `torc workflows ${name} --failed-only 7`,
        `torc workflows ${name} 7 -f -r`,
        `torc workflows ${name} 7 8 9 --dry-run`,
      ),
    );
  act(reset, async (keys, self) => {
    const { resetWorkflows } = await import('../actions/workflows-reset.ts');
    return (context) => resetWorkflows(context, keys, self.opts<ResetWorkflowOptions>());
  });
}
