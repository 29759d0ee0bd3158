/** `torc jobs ..`: the jobs of a workflow, and the worker that runs them on this machine. */

import { type Command, Option } from 'commander';
import { typedLabels, typedLimits } from '../../model/labels.ts';
import type { ModifyJobOptions } from '../actions/jobs-modify.ts';
import { attributeOption } from '../input/attributes.ts';
import { envOption, unsetEnvOption } from '../input/environment.ts';
import {
  addOutcomeOptions,
  clearable,
  decimalNumber,
  stdioOption,
  wholeNumberOrLess,
  yesOrNo,
} from '../input/options.ts';
import { addStateOptions, jobStates } from '../input/state-options.ts';
import type { WorkerCommandOptions } from '../workers/local-worker.ts';
import { addJobArguments, keyArgument } from './arguments.ts';
import { declareChildren } from './children.ts';
import { type Act, examples } from './declare.ts';
import { declareJobChanges } from './jobs-changes.ts';
import { declareJobReset } from './jobs-reset.ts';
import { declareJobShow } from './jobs-show.ts';
import { declareList } from './lists.ts';
import { declareJobHolds } from './pauses.ts';
import { addResourceOptions } from './resource-requirements.ts';
import { addWorkerOptions } from './worker-options.ts';

export function declareJobs(program: Command, act: Act): void {
  const group = program.command('jobs').description('list, run, inspect and change jobs');
  declareList(
    addStateOptions(addOutcomeOptions(group.command('list')), jobStates)
      .description('list jobs with their status and result')
      .addHelpText(
        'after',
        examples(
          'torc jobs list -f status=ready',
          'torc jobs list --running',
          'torc jobs list -k 7 --failed',
          'torc jobs list -f orphaned=true',
          'torc jobs list -l 20 --sort-by name',
          'torc jobs list -f attribute.site=north --columns name,status,attribute.site',
          "torc -F json jobs list | jq -r '.jobs[] | select(.orphaned) | .job_key'",
        ),
      ),
    'jobs',
    act,
    jobStates,
  );
  const run = group
    .command('run')
    .description('run the ready jobs of a started workflow on this machine until none is left')
    .argument('[key]', keyArgument)
    .addOption(new Option('--worker', 'be the worker of a running server').hideHelp())
    .addOption(new Option('--wait-for-new-jobs <seconds>').argParser(decimalNumber('the wait', 0)).hideHelp());
  addWorkerOptions(run).addHelpText(
    'after',
    examples('torc jobs run', 'torc jobs run 7 -m 4 -o results', 'torc jobs run 7 -t PT8H --cpus 16 --memory 32g'),
  );
  act(run, async ([key], self) => {
    const { worker, ...options } = self.opts<WorkerCommandOptions & { worker?: boolean }>();
    if (worker === true) {
      const { beWorker } = await import('../actions/worker-child.ts');
      return (context) => beWorker(context, key ?? null, options);
    }
    const { runJobs } = await import('../actions/jobs-run.ts');
    return (context) => runJobs(context, key ?? null, options);
  });
  declareModify(group, act);
  declareJobChanges(group, act);
  declareChildren(group, act);
  declareJobReset(group, act);
  declareJobHolds(group, act);
  declareJobShow(group, act);
}

function declareModify(group: Command, act: Act): void {
  const modify = addJobArguments(
    group
      .command('modify')
      .description(
        'change jobs that are not running; a restart reruns one if its command, invocation script or directory changed',
      ),
  )
    .option('--command <command>', 'command to run')
    .option('--invocation-script <command>', "script that runs the command; '' removes it")
    .option('--name <name>', 'new name, of a single job')
    .option('--priority <n>', 'jobs with a larger priority run first', wholeNumberOrLess('the priority'))
    .option(
      '--cancel-on-blocking-job-failure <true|false>',
      'cancel the job when a job that it depends on fails',
      yesOrNo,
    )
    .option('--supports-termination <true|false>', 'the job writes a checkpoint when it is asked to stop', yesOrNo)
    .option('--task-failure-is-success <true|false>', 'it counts as successful whatever code it exits with', yesOrNo)
    .option('--scheduler <name>', "only workers of this Slurm config take it; '' for any")
    .option(
      '--labels <a,b>',
      "only workers with all of these labels take it, instead of those before; '' for none",
      typedLabels,
    )
    .option(
      '--limits <a,b>',
      "it runs under these limits, instead of those before; '' for none: torc limits list -k KEY",
      typedLimits,
    )
    .addOption(envOption('set an environment variable; only NAME: its value here; may be repeated'))
    .addOption(unsetEnvOption())
    .addOption(clearable(stdioOption("where its output goes; '' for where that of the workflow goes")))
    .option('--cwd <dir>', "directory in which it starts, relative to that of other jobs; '' for the same one")
    .addOption(attributeOption('set an attribute, also of a running job; NAME= removes it; may be repeated'));
  addResourceOptions(modify).addHelpText(
    'after',
    examples(
      'torc jobs modify 12 --memory 16g --runtime PT4H',
      "torc jobs modify 12 --command 'python train.py --rate 0.01' --dry-run",
      "torc jobs modify --memory 32g $(torc -F json jobs list -f cause=oom | jq -r '.jobs[].job_key')",
      'torc jobs modify 12 --env OMP_NUM_THREADS=4 --stdio none --cwd runs/12',
      'torc jobs modify 12 13 --labels gpu,site-b    # waiting workers that have them get the jobs at once',
    ),
  );
  act(modify, async (keys, self) => {
    const { modifyJobs } = await import('../actions/jobs-modify.ts');
    return (context) => modifyJobs(context, keys, self.opts<ModifyJobOptions>());
  });
}
