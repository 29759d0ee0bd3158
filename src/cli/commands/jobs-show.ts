/** `torc jobs show|diagnose|logs`: what became of single jobs. */
import { type Command, Option } from 'commander';
import type { LogsOptions } from '../actions/jobs-logs.ts';
import { wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareJobShow(group: Command, act: Act): void {
  const diagnose = group
    .command('diagnose')
    .description('say why jobs that were begun have no result: what became of their workers, nodes and Slurm jobs')
    .argument('[keys...]', 'keys of jobs (default: all of the workflow)')
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
    .description('print everything about one job: why it does not run, its attempts, what it waits for')
    .argument('<key>', 'key of the job')
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
    .description('print what the newest attempt of a job wrote to stdout and stderr')
    .argument('<key>', 'key of the job')
    .addOption(new Option('--stdout', 'only its stdout').conflicts('stderr'))
    .option('--stderr', 'only its stderr')
    .option('-f, --follow', 'go on printing until the attempt has ended')
    .option('--attempt <n>', 'this attempt (default: the newest)', wholeNumber('the attempt', 1))
    .option('--run <n>', 'of this run (default: the newest)', wholeNumber('the run', 1))
    .addHelpText(
      'after',
      examples('torc jobs logs 12', 'torc jobs logs 12 --stderr --follow', 'torc jobs logs 12 --stdout --run 1 > out'),
    );
  act(logs, async ([key = ''], self) => {
    const { showLogs } = await import('../actions/jobs-logs.ts');
    return (context) => showLogs(context, key, self.opts<LogsOptions>());
  });
}
