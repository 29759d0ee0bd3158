/** `torc jobs show|diagnose|logs`: the state of single jobs. */
import { type Command, Option } from 'commander';
import type { LogsOptions } from '../actions/jobs-logs.ts';
import { wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareJobShow(group: Command, act: Act): void {
  const diagnose = group
    .command('diagnose')
    .description('explain why started jobs have no result: what happened to their workers, nodes and Slurm jobs')
    .argument('[keys...]', 'job keys (default: all jobs of the workflow)')
    .addHelpText(
      'after',
      examples('torc jobs diagnose', 'torc jobs diagnose 12 13', 'torc -F json jobs diagnose -k 7'),
    );
  act(diagnose, async (keys) => {
    const { diagnoseJobs } = await import('../actions/jobs-diagnose.ts');
    return (context) => diagnoseJobs(context, keys);
  });
  const show = group
    .command('show')
    .description('show everything about a job: why it is not running, its attempts, what it waits for')
    .argument('<key>', 'job key')
    .addHelpText('after', examples('torc jobs show 12', 'torc -F json jobs show 12 | jq -r .why'));
  act(show, async ([key = '']) => {
    const { showJob } = await import('../actions/jobs-show.ts');
    return (context) => showJob(context, key);
  });
  declareLogs(group, act);
}

function declareLogs(group: Command, act: Act): void {
  const logs = group
    .command('logs')
    .description('print the stdout and stderr of the newest attempt of a job')
    .argument('<key>', 'job key')
    .addOption(new Option('--stdout', 'only stdout').conflicts('stderr'))
    .option('--stderr', 'only stderr')
    .option('-f, --follow', 'keep printing until the attempt has ended')
    .option('--attempt <n>', 'attempt to print (default: the newest)', wholeNumber('the attempt', 1))
    .option('--run <n>', 'run to print (default: the newest)', wholeNumber('the run', 1))
    .addHelpText(
      'after',
      examples('torc jobs logs 12', 'torc jobs logs 12 --stderr --follow', 'torc jobs logs 12 --stdout --run 1 > out'),
    );
  act(logs, async ([key = ''], self) => {
    const { showLogs } = await import('../actions/jobs-logs.ts');
    return (context) => showLogs(context, key, self.opts<LogsOptions>());
  });
}
