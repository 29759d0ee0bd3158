/** `torc jobs ..`: the jobs of a workflow, and the worker that runs them on this machine. */
import { type Command, Option } from 'commander';
import { addOutcomeOptions, decimalNumber } from '../options.ts';
import { type Act, examples } from '../program.ts';
import { declareJobRecovery } from './jobs-recovery.ts';
import { declareList } from './lists.ts';
import { addWorkerOptions, type WorkerCommandOptions } from './worker-options.ts';

export interface RunJobsOptions extends WorkerCommandOptions {
  /** The process is the worker itself: it never opens the database. */
  worker?: boolean;
}

export function declareJobs(program: Command, act: Act): void {
  const group = program.command('jobs').description('the jobs of a workflow');
  declareList(
    addOutcomeOptions(group.command('list'))
      .description('list jobs with their status and how they ended')
      .addHelpText(
        'after',
        examples(
          'torc jobs list -f status=ready',
          'torc jobs list -k 7 --failed',
          'torc jobs list -f orphaned=true',
          'torc jobs list -l 20 --sort-by name',
          "torc -F json jobs list | jq -r '.jobs[] | select(.orphaned) | .job_key'",
        ),
      ),
    'jobs',
    act,
  );
  const run = group
    .command('run')
    .description('run the ready jobs of a started workflow on this machine until none is left')
    .argument('[key]', 'workflow key (default: -k, TORC_WORKFLOW_KEY, or the only workflow)')
    .addOption(new Option('--worker', 'be the worker of a server that runs').hideHelp())
    .addOption(new Option('--wait-for-new-jobs <seconds>').argParser(decimalNumber('the wait', 0)).hideHelp());
  addWorkerOptions(run).addHelpText(
    'after',
    examples('torc jobs run', 'torc jobs run 7 -m 4 -o results', 'torc jobs run 7 -t PT8H --cpus 16 --memory 32g'),
  );
  act(run, async ([key], self) => {
    const { runJobs } = await import('../actions/jobs-run.ts');
    return (context) => runJobs(context, key ?? null, self.opts<RunJobsOptions>());
  });
  declareJobRecovery(group, act);
}
