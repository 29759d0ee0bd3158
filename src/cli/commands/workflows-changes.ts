/** `torc workflows modify|set-compute-node-parameters|add-jobs-from-commands-file`: changes of a stored workflow. */
import { type Command, Option } from 'commander';
import { mostRecoveries } from '../../model/decide/recovery.ts';
import { typedLabels } from '../../model/labels.ts';
import { executions } from '../../model/launch.ts';
import type { AddedCommandsOptions } from '../actions/workflows-add-jobs.ts';
import type { ModifyWorkflowOptions, NodeParameters } from '../actions/workflows-changes.ts';
import { attributeOption } from '../input/attributes.ts';
import { envOption, unsetEnvOption } from '../input/environment.ts';
import { someTime, stdioOption, terminationSignalOption, wholeNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

function mostAtOnce(text: string): number | 'none' {
  return text === 'none' ? text : wholeNumber('--max-concurrent-jobs', 0)(text);
}

export function declareChanges(group: Command, act: Act): void {
  const modify = group
    .command('modify')
    .description('edit or archive a workflow')
    .argument('[key]', keyArgument)
    .option('--name <name>', 'new name')
    .option('--description <text>', "description; '' removes it")
    .option('--project <name>', "project; '' removes it")
    .option('--metadata <json>', 'any JSON value; null removes it')
    .addOption(attributeOption('set an attribute; NAME= removes it; may be repeated'))
    .addOption(envOption('set a variable of jobs that start from now on; only NAME: its value here; may be repeated'))
    .addOption(unsetEnvOption())
    .option('--base-directory <dir>', 'where relative paths start and jobs run')
    .addOption(stdioOption('where job output goes, for workers that start from now on'))
    .option('--pin', 'bind jobs that start from now on to their CPUs; --no-pin: do not')
    .addOption(new Option('--no-pin').hideHelp())
    .addOption(
      new Option('--execution <mode>', 'what starts jobs in an allocation from now on: its worker, or srun').choices(
        executions,
      ),
    )
    .option(
      '--max-losses <n>',
      'how often in a run a job that was lost comes back by itself',
      wholeNumber('--max-losses', 0),
    )
    .option(
      '--max-dynamic-jobs <n>',
      'at most this many jobs may be added by its running jobs; 0: none',
      wholeNumber('--max-dynamic-jobs', 0),
    )
    .option('--fail-fast', 'start nothing more after the first failure of a run; cancel what waits')
    .option('--max-failures <n>', 'the same after this many failures; 0: no limit', wholeNumber('--max-failures', 0))
    .option(
      '--max-concurrent-jobs <n>',
      'run at most this many jobs at once; 0: start no more; none: no limit',
      mostAtOnce,
    )
    .option(
      '--max-recoveries <n>',
      'recover by itself at most this many times after failed runs, as torc watch --recover does; 0: never',
      wholeNumber('--max-recoveries', 0, mostRecoveries),
    )
    .option('--timeout <duration>', "start nothing more this long after a run's start; 0: never", (text) =>
      text === '0' ? 0 : someTime(text),
    )
    .addOption(terminationSignalOption())
    .option(
      '--sigterm-lead-seconds <n>',
      'how long before their end such jobs get the signal, for workers that start from now on',
      wholeNumber('--sigterm-lead-seconds', 0),
    )
    .option('--archive', 'hide it from lists; it is never chosen as the only workflow')
    .option('--unarchive', 'show it again')
    .addHelpText(
      'after',
      examples(
        'torc workflows modify 7 --archive',
        "torc workflows modify 7 --name 'second try' --project wind",
        'torc workflows modify 7 --max-concurrent-jobs 50     # also while it runs',
        'torc workflows modify 7 --attribute release_id=123 --attribute draft=',
      ),
    );
  act(modify, async ([key], self) => {
    const { modifyWorkflow } = await import('../actions/workflows-changes.ts');
    return (context) => modifyWorkflow(context, key ?? null, self.opts<ModifyWorkflowOptions>());
  });
  const parameters = group
    .command('set-compute-node-parameters')
    .description('change the settings of workers that start from now on')
    .argument('[key]', keyArgument)
    .option(
      '-e, --expiration-buffer <seconds>',
      'end this long before the allocation ends',
      wholeNumber('the expiration buffer', 0),
    )
    .option(
      '--wait-for-healthy-database <minutes>',
      'how long to keep running without a server',
      wholeNumber('the wait for the server', 0),
    )
    .option('-i, --ignore-workflow-completion', 'stay until the allocation ends')
    .option('--no-ignore-workflow-completion', 'end when the workflow is complete')
    .option(
      '-w, --wait-for-new-jobs <seconds>',
      'how long to wait for jobs that fit',
      wholeNumber('the wait for new jobs', 0),
    )
    .addHelpText('after', examples('torc workflows set-compute-node-parameters 7 -e 300 -w 600'));
  act(parameters, async ([key], self) => {
    const { setNodeParameters } = await import('../actions/workflows-changes.ts');
    return (context) => setNodeParameters(context, key ?? null, self.opts<NodeParameters>());
  });
  declareAddJobs(group, act);
}

function declareAddJobs(group: Command, act: Act): void {
  const add = group
    .command('add-jobs-from-commands-file')
    .description('add one job per line of a file, even to a running workflow')
    .argument('<key>', 'workflow key')
    .argument('<file>', 'one shell command per line, or - for standard input')
    .option('-c, --cpus <n>', 'CPUs of each job', wholeNumber('the number of CPUs', 1))
    .option('-m, --memory <size>', 'memory of each job, such as 2g')
    .option('-r, --runtime <duration>', 'maximum runtime of each job as an ISO 8601 duration, such as PT30M')
    .option('--scheduler <name>', 'only workers of this Slurm config take them')
    .option('--labels <a,b>', 'only workers with all of these labels take them', typedLabels)
    .option('--failure-handler <name>', 'failure handler of the jobs')
    .addHelpText(
      'after',
      examples(
        'torc workflows add-jobs-from-commands-file 7 more.txt',
        'torc workflows add-jobs-from-commands-file 7 more.txt -c 2 -m 4g -r PT1H',
      ),
    );
  act(add, async ([key = '', file = ''], self) => {
    const { addJobsFromCommandsFile } = await import('../actions/workflows-add-jobs.ts');
    return (context) => addJobsFromCommandsFile(context, key, file, self.opts<AddedCommandsOptions>());
  });
}
