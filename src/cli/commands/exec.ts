/** `torc exec`: jobs without a specification. */
import type { Command } from 'commander';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { addAutoSizeOptions } from '../input/auto-size-options.ts';
import type { ExecOptions } from '../input/exec-options.ts';
import {
  collect,
  decimalNumber,
  hiddenOption,
  oneOf,
  readable,
  someTime,
  stdioOption,
  wholeNumber,
} from '../input/options.ts';
import { type Act, examples } from './declare.ts';
import { addSubmissionOptions } from './submission-options.ts';

const kinds = 'What runs (one of these):';
const repetitions = 'How often (one of these; without them, once):';
const needs = 'What each job asks for:';
const places = 'Where:';

export function declareExec(program: Command, act: Act): void {
  program.enablePositionalOptions();
  const command = program
    .command('exec')
    .description('run commands as jobs, without a specification')
    .usage('[options] [--] COMMAND [ARGUMENT..]')
    .argument(
      '[command...]',
      'a program with its arguments, which arrive as they are typed; or a script with #TORC lines',
    )
    .passThroughOptions();
  addWhatRuns(command);
  addNeeds(command);
  addPlaces(command);
  command
    .option('--fail-fast', 'start nothing more after the first failure; cancel what waits')
    .option('--timeout <duration>', 'start nothing more this long after the start, such as PT2H', someTime)
    .option('--dry-run', 'show the jobs that would be made; nothing is stored, run or submitted')
    .option('--show-jobs', 'with --dry-run: show all jobs, not only the first ones')
    .addHelpText('after', explanation);
  act(command, async (words, self) => {
    const { execCommands } = await import('../actions/exec.ts');
    return (context) => execCommands(context, words, self.opts<ExecOptions>());
  });
}

function addWhatRuns(command: Command): void {
  const more = collect<string>((text) => [text]);
  command
    .optionsGroup(kinds)
    .option('-c, --command <text>', 'text for the shell, with pipes and variables; may be repeated', more)
    .option('-C, --commands-file <file>', 'one such text on each line; # begins a comment; - is standard input')
    .optionsGroup(repetitions)
    .option('--param <name=values>', 'for each value of {name}, such as i=1:100; several combine', more)
    .option('--parameter-mode <mode>', 'combine several --param as product or zip', oneOf(['product', 'zip'], 'a mode'))
    .option('--each-line <file>', 'for each line, in TORC_ENTRY; blank lines are skipped; - is standard input')
    .option('--from-json <file>', 'for each element of a list, as JSON in TORC_ENTRY; - is standard input')
    .option('--array <numbers>', 'for each number in TORC_TASK_ID: 1-100, 1,5,9-12, 0-90:10, 1-100%4');
}

function addNeeds(command: Command): void {
  const gpus = decimalNumber('the number of GPUs', 0);
  const cpus = wholeNumber('the number of CPUs', 1);
  const nodes = wholeNumber('the number of nodes', 1);
  command
    .optionsGroup(needs)
    .option('--cpus <n>', 'CPUs (default: 1)', cpus)
    .option('--memory <size>', 'memory, such as 8g; the job is stopped when it uses more', readable(parseMemory))
    .option('--gpus <n>', 'GPUs, also parts of one', gpus)
    .option('--nodes <n>', 'nodes (default: 1)', nodes)
    .option('--runtime <duration>', 'longest runtime, such as 30m or PT2H', readable(parseDuration))
    .option('--max-retries <n>', 'further attempts when a job fails', wholeNumber('the number of retries', 0));
  addAutoSizeOptions(command)
    .addOption(hiddenOption('--num-cpus <n>', cpus))
    .addOption(hiddenOption('--num-gpus <n>', gpus))
    .addOption(hiddenOption('--num-nodes <n>', nodes));
}

function addPlaces(command: Command): void {
  command
    .optionsGroup(places)
    .option('--local', 'run here and wait; the default where there is no Slurm, and inside of an allocation')
    .option('--slurm', 'run in allocations of Slurm; implied by -n, -a, -p, -q and -t');
  addSubmissionOptions(command)
    .option(
      '-j, --max-parallel-jobs <n>',
      'jobs at a time, here or on each worker',
      wholeNumber('the number of jobs', 1),
    )
    .option('--wait', 'with --slurm: wait until all jobs have ended')
    .option('--progress', 'with --slurm: the same, and show progress')
    .option('-o, --output <directory>', 'output directory (default: TORC_OUTPUT_DIR or ./torc_output)')
    .optionsGroup('Other options:')
    .option('--name <name>', 'name of the workflow (default: the program, script or file)')
    .addOption(stdioOption('where job output goes (default: files)'))
    .option(
      '--monitor <mode>',
      'time-series: record memory and CPU time of each job every few seconds',
      oneOf(['off', 'summary', 'time-series'], 'a way to monitor'),
    )
    .addOption(hiddenOption('--generate-plots'));
}

const explanation = `
Arguments arrive as they are typed: -- 'my file' '*.txt' gets both, unexpanded. For pipes, variables and globs, give shell
text with -c. Options after the program belong to it.

A script may say what it needs in its first comments: #TORC --cpus 4 --memory 8g --runtime 1h. Options that you type win.

With --local it runs and waits as torc run does, and ends with the same codes. Where sbatch is found, outside of an
allocation, say --local or --slurm. With --slurm it prints the key of the workflow and ends, unless --wait is given.
${examples(
  'torc exec -j 8 -- python simulate.py --seed 7',
  "torc exec -c 'sort big.txt | uniq > out.txt' -c 'gzip -k big.txt'",
  "torc exec -j 8 -c './simulate --seed {i} > out_{i}' --param i=1:100",
  'torc exec -j 8 -C commands.txt',
  'ls *.dat | torc exec --each-line - -c \'gzip "$TORC_ENTRY"\'',
  'torc exec --from-json cases.json -c \'echo "$TORC_ENTRY" | python solve.py\'',
  'torc exec --array 1-100 --memory 2g -- ./task.sh',
  'torc exec --slurm -n 2 -p short -t 1:00:00 -a acct --wait -C commands.txt',
  'torc exec script.sh input.txt',
)}`;
