/** `torc logs`: what jobs wrote, what it says about failures, and a bundle of it for others. */
import { type Command, Option } from 'commander';
import type { BundleOptions } from '../actions/logs-bundle.ts';
import { wholeNumber } from '../input/options.ts';
import type { LogsOptions } from '../output/job-outputs.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

const jobWords = 'jobs: keys, names or patterns such as sim_*';

export function declareLogs(program: Command, act: Act): void {
  const logs = program.command('logs');
  declareShow(logs, 'torc logs', act);
  declareAnalyze(logs, act);
  declareBundle(logs, act);
}

/** Makes a command print what jobs wrote; `path` is what is typed for it. */
export function declareShow(command: Command, path: string, act: Act): void {
  command
    .description('print the stdout and stderr of jobs, by default of the newest attempt of each')
    .argument('<jobs...>', jobWords)
    .addOption(new Option('--stdout', 'only stdout').conflicts('stderr'))
    .option('--stderr', 'only stderr')
    .option('-f, --follow', 'keep printing, also later attempts, until all of the jobs have ended')
    .option('--tail <n>', 'only the last lines of each stream', wholeNumber('the number of lines', 0))
    .option('--attempt <n>', 'attempt to print (default: the newest)', wholeNumber('the attempt', 1))
    .option('--run <n>', 'run to print (default: the newest)', wholeNumber('the run', 1))
    .addHelpText(
      'after',
      examples(
        `${path} 12`,
        `${path} train --tail 20`,
        `${path} 'sim_*' --follow`,
        `${path} 12 --stdout --run 1 > out`,
      ),
    );
  act(command, async (words) => {
    const { showLogs } = await import('../actions/logs.ts');
    return (context) => showLogs(context, words, command.opts<LogsOptions>());
  });
}

function declareAnalyze(group: Command, act: Act): void {
  const analyze = group
    .command('analyze')
    .description('group the failed jobs of a workflow by cause and by the last lines that they wrote')
    .argument('[key]', keyArgument)
    .option('-l, --limit <n>', 'read at most this many failed jobs (default: 10000)', wholeNumber('the limit', 1))
    .addHelpText(
      'after',
      examples('torc logs analyze', 'torc logs analyze 7', "torc -F json logs analyze 7 | jq '.groups[0].job_keys'"),
    );
  act(analyze, async ([key]) => {
    const { analyzeLogs } = await import('../actions/logs-analyze.ts');
    return (context) => analyzeLogs(context, key ?? null, analyze.opts<{ limit?: number }>());
  });
}

function declareBundle(group: Command, act: Act): void {
  const bundle = group
    .command('bundle')
    .description(
      'collect what a colleague needs to help in one file: specification, results, events, logs of failed jobs',
    )
    .argument('[key]', keyArgument)
    .option('-o, --output <file>', 'file to write (default: torc-KEY-NAME.tar.gz); it must not exist')
    .option('-d, --dry-run', 'only list what would be in it')
    .addHelpText(
      'after',
      `\nTokens, passwords, secret URLs and the values of variables whose name says secret, token, password or key are\nreplaced by ***. Look into the file before you send it: torc cannot know every secret.\n${examples('torc logs bundle 7', 'torc logs bundle 7 --dry-run', 'torc logs bundle 7 -o for-help.tar.gz')}`,
    );
  act(bundle, async ([key]) => {
    const { bundleLogs } = await import('../actions/logs-bundle.ts');
    return (context) => bundleLogs(context, key ?? null, bundle.opts<BundleOptions>());
  });
}
