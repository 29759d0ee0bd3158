/** `torc jobs reset-status|disable|cancel|mark-done`: jobs that run again, that never run, that stop, that need not run. */
import type { Command } from 'commander';
import { addOutcomeOptions, filters, listOptions } from '../input/options.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { addJobArguments } from './arguments.ts';
import { type Act, examples } from './declare.ts';

const seedExample =
  "torc jobs reset-status $(torc -F json results list -f return_code=1 | jq -r '.results | .[] | .job_key')";

export function declareJobReset(group: Command, act: Act): void {
  const reset = group
    .command('reset-status')
    .description('reset jobs and all downstream jobs, so that the next restart runs them again')
    .argument('[jobs...]', "keys, names or patterns such as 'sim_*'; or choose jobs by what torc jobs list shows:")
    .option('-y, --yes', 'do not ask when a pattern chooses the jobs')
    .option('-f, --filter <column=value>', 'jobs with this value; may be repeated (all must match)', filters, [])
    .option('-d, --dry-run', 'show what would change without changing anything');
  addOutcomeOptions(reset).addHelpText(
    'after',
    examples(
      'torc jobs reset-status 12 13',
      "torc jobs reset-status 'train_*' -k 7 --dry-run",
      'torc jobs reset-status --failed --return-code 137 --dry-run',
      'torc jobs reset-status -k 7 -f cause=oom',
      seedExample,
    ),
  );
  act(reset, async (keys, self) => {
    const { resetJobs } = await import('../actions/jobs-reset.ts');
    const { filter } = listOptions(self);
    return (context) => resetJobs(context, { keys, filter }, self.opts<PlanOptions>());
  });
  const cancel = addJobArguments(
    group
      .command('cancel')
      .description('cancel jobs: running ones are stopped, and downstream jobs are canceled as after a failure'),
  )
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs cancel 12 13', "torc jobs cancel 'sim_*' --dry-run"));
  act(cancel, async (keys, self) => {
    const { cancelJobs } = await import('../actions/jobs-cancel.ts');
    return (context) => cancelJobs(context, keys, self.opts<PlanOptions>());
  });
  const disable = addJobArguments(
    group
      .command('disable')
      .description('exclude jobs from this run and all later ones; downstream jobs do not wait for them'),
  )
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs disable 12 13', 'torc jobs disable 12 --dry-run'));
  act(disable, async (keys, self) => {
    const { disableJobs } = await import('../actions/jobs-reset.ts');
    return (context) => disableJobs(context, keys, self.opts<PlanOptions>());
  });
  const mark = addJobArguments(
    group
      .command('mark-done')
      .description(
        'count jobs as succeeded without running them; downstream jobs go on, also those that were canceled',
      ),
  )
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples('torc jobs mark-done 12 13', 'torc jobs mark-done prepare -k 7'));
  act(mark, async (keys, self) => {
    const { markJobs } = await import('../actions/jobs-reset.ts');
    return (context) => markJobs(context, keys, self.opts<PlanOptions>());
  });
}
