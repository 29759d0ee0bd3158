/** Options that many commands share: the global ones, those of lists, and how their values are read. */
import { type Command, Option } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { parseDuration } from '../../base/units.ts';
import { type StdioMode, stdioModes, terminationSignals } from '../../model/expanded.ts';
import { problemOfGivenLabels, typedLabels } from '../../model/labels.ts';
import {
  type ConsoleLevel,
  consoleLevels,
  type GlobalOptions,
  type OutputFormat,
  outputFormats,
} from '../context/context.ts';
import { type ListFilter, type ListOptions, parseColumns, parseFilter } from './filters.ts';
import { type States, stateFilters } from './state-options.ts';

/** Reads one of `choices`; throws TorcError 'usage' naming them. */
export function oneOf<T extends string>(choices: readonly T[], what: string): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new TorcError('usage', `'${text}' is not ${what}`, `Choose one of: ${choices.join(', ')}`);
  };
}

/** Reads a whole number of at least `least`. */
export function wholeNumber(what: string, least: number, most?: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^[0-9]{1,15}$/.test(text) && number >= least && number <= (most ?? number)) return number;
    throw new TorcError(
      'usage',
      `${what} '${text}' is not a whole number ${most === undefined ? `of at least ${least}` : `from ${least} to ${most}`}`,
      `For example: ${Math.max(least, 4)}`,
    );
  };
}

/** Reads a whole number that may be negative. */
export function wholeNumberOrLess(what: string): (text: string) => number {
  return (text) => {
    if (/^-?[0-9]{1,9}$/.test(text)) return Number(text);
    throw new TorcError('usage', `${what} '${text}' is not a whole number`, 'For example: 10');
  };
}

/** Reads a duration above 0; returns seconds. */
export function someTime(text: string): number {
  const seconds = parseDuration(text);
  if (seconds > 0) return seconds;
  throw new TorcError('usage', `a duration must be longer than 0, not '${text}'`, 'For example: PT2H, 30m');
}

/** Reads labels of a worker or a Slurm config, separated by commas. */
export function givenLabels(text: string): string[] {
  const labels = typedLabels(text);
  const problem = labels.length === 0 ? 'a label is empty' : problemOfGivenLabels(labels);
  if (problem === null) return labels;
  throw new TorcError('usage', problem, 'For example: --label gpu');
}

/** Reads true or false. */
export function yesOrNo(text: string): boolean {
  return oneOf(['true', 'false'] as const, 'true or false')(text) === 'true';
}

/** Reads a number of at least `least`; it may have decimals. */
export function decimalNumber(what: string, least: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^[0-9]{1,15}(\.[0-9]+)?$/.test(text) && number >= least) return number;
    throw new TorcError(
      'usage',
      `${what} '${text}' is not a number of at least ${least}`,
      `For example: ${Math.max(least, 5)}`,
    );
  };
}

/** Checks a text with `read`, which throws TorcError 'usage', and keeps it as typed. */
export function readable(read: (text: string) => unknown): (text: string) => string {
  return (text) => {
    read(text);
    return text;
  };
}

/** For options that may be repeated. */
export function collect<T>(read: (text: string) => T[]): (text: string, before: readonly T[] | undefined) => T[] {
  return (text, before = []) => [...before, ...read(text)];
}

interface GlobalDeclaration {
  letter: string | null;
  long: string;
  flags: string;
  description: string;
  read?: (text: string) => unknown;
}

const globals: readonly GlobalDeclaration[] = [
  {
    letter: 'k',
    long: '--workflow-key',
    flags: '--workflow-key <key>',
    description: 'workflow: key, name or last (default: TORC_WORKFLOW_KEY)',
  },
  {
    letter: 'F',
    long: '--output-format',
    flags: '--output-format <format>',
    description: `output format: ${outputFormats.join(', ')}`,
    read: oneOf<OutputFormat>(outputFormats, 'an output format'),
  },
  { letter: 'n', long: '--no-prompts', flags: '--no-prompts', description: 'never prompt; confirmations count as yes' },
  {
    letter: 'c',
    long: '--console-level',
    flags: '--console-level <level>',
    description: `minimum log level: ${consoleLevels.join(', ')}`,
    read: oneOf<ConsoleLevel>(consoleLevels, 'a console level'),
  },
  { letter: 'U', long: '--user', flags: '--user <name>', description: 'show only workflows of this user' },
  {
    letter: null,
    long: '--dir',
    flags: '--dir <directory>',
    description: 'server directory (default: TORC_DIR or ~/.torc)',
  },
  { letter: null, long: '--version', flags: '--version', description: 'print the version' },
];

/** The heading of the global options in every help. */
export const globalHelp = 'Global options (also before the command):';

/** The first word that is neither a global option nor the value of one: the command, or null. */
export function firstOperand(words: readonly string[]): string | null {
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) return word;
    if (takesValue(word)) at += 1;
  }
  return null;
}

/** Whether a word is a global option whose value is the next word. */
export function takesValue(word: string): boolean {
  const global = globals.find((each) => each.long === word || (each.letter !== null && `-${each.letter}` === word));
  return global?.flags.includes('<') === true;
}

/** Adds the global options to a command and its subcommands, without letters that the command uses itself. */
export function addGlobalOptions(command: Command): void {
  for (const global of globals) {
    if (command.options.some((option) => option.long === global.long)) continue;
    const isLetterFree =
      global.letter !== null && !command.options.some((option) => option.short === `-${global.letter}`);
    const option = new Option(isLetterFree ? `-${global.letter}, ${global.flags}` : global.flags, global.description);
    if (global.read !== undefined) option.argParser(global.read);
    command.addOption(option.helpGroup(globalHelp));
  }
  for (const child of command.commands) addGlobalOptions(child);
}

/** The global options from anywhere on the command line; the last one counts. */
export function globalOptionsOf(command: Command): GlobalOptions & { version?: boolean } {
  const chain: Command[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) chain.unshift(at);
  const merged: Record<string, unknown> = {};
  for (const link of chain) {
    for (const global of globals) {
      const option = link.options.find((candidate) => candidate.long === global.long);
      const name = option?.attributeName();
      if (name !== undefined && isOwnGlobal(option) && link.getOptionValueSource(name) === 'cli') {
        merged[name] = link.getOptionValue(name);
      }
    }
  }
  return merged as GlobalOptions;
}

function isOwnGlobal(option: Option | undefined): boolean {
  return option?.helpGroupHeading === globalHelp;
}

/** Adds the options of a list: filters, limit, order, columns. */
export function addListOptions(command: Command): Command {
  return command
    .option(
      '-f, --filter <column=value>',
      "only rows with this value, of names also a pattern such as 'name=sim_*'; may be repeated (all must match)",
      filters,
      [],
    )
    .option('-l, --limit <n>', 'show at most this many rows (default: all)', wholeNumber('the limit', 1))
    .option('-s, --skip <n>', 'skip this many rows', wholeNumber('the number of rows to skip', 0))
    .option('--sort-by <column>', 'sort by this column (default: the key)')
    .option('--reverse-sort', 'sort in descending order')
    .option('--columns <a,b,c>', 'columns to show in text and csv, in this order', parseColumns)
    .option('-w, --wide', 'show all usual columns on a terminal, however wide')
    .option('--pager', 'show the list in PAGER (default: less)')
    .option('-x, --exclude-column <column>', 'hide a column in text and csv; may be repeated', excluded, []);
}

/** Reads the filters of a list. */
export const filters = collect<ListFilter>((text) => [parseFilter(text)]);
const excluded = collect<string>(parseColumns);

/** Adds short forms of the filters for failures. */
export function addOutcomeOptions(command: Command): Command {
  return command
    .option('--return-code <n>', 'only those with this return code', wholeNumber('the return code', 0))
    .option('--failed', 'only those that failed (return code other than 0)');
}

/** The parsed options of a list command, with short forms as filters; `states` are the words that it has for states. */
export function listOptions(command: Command, states: States = outcomeStates): ListOptions {
  const { returnCode, ...options } = command.opts<ListOptions & { returnCode?: number }>();
  const short = stateFilters(command, states);
  if (returnCode !== undefined) short.push({ column: 'return_code', value: String(returnCode) });
  return { ...options, filter: [...options.filter, ...short] };
}

const outcomeStates: States = { failed: { column: 'outcome', value: 'failed' } };

/** As typed: what makes a workflow the same one again. */
export interface IdentityOptions {
  tool?: string;
  args?: string;
}

export interface StdioOption {
  stdio?: StdioMode;
}

export function addIdentityOptions(command: Command): Command {
  return command
    .option('--tool <name>', 'with --args: what the workflow is made with (default: the specification, else its name)')
    .option(
      '--args <text>',
      'text or JSON that makes this workflow the same one again, such as v1; needed for --resume',
    );
}

/** As typed: how a workflow that is there continues. */
export interface ResumeOptions {
  resume?: boolean;
  keepRunning?: boolean;
  stopRunning?: boolean;
  resumeTimeout?: number;
  forceCleanup?: boolean;
  ignoreMissingData?: boolean;
  dryRun?: boolean;
}

/** How running jobs are treated, of all that resumes. */
export function addRunningOptions(command: Command): Command {
  return command
    .option('--keep-running', 'when resuming: let running jobs continue and restart the others')
    .option('--stop-running', 'when resuming: stop running jobs first and wait until they have ended')
    .option(
      '--resume-timeout <seconds>',
      'with --stop-running: wait at most this long (default: 300)',
      decimalNumber('--resume-timeout', 0),
    )
    .option('--force-cleanup', 'when resuming: treat jobs of silent workers as dead; the history says so');
}

export function addResumeOptions(command: Command): Command {
  const resume = 'if a workflow with these args exists, continue it: what has not succeeded runs again';
  return addRunningOptions(addIdentityOptions(command).option('--resume', resume));
}

/** A word of another version or tool, which is accepted and not shown. */
export function hiddenOption(flags: string, read?: (text: string) => unknown): Option {
  const option = new Option(flags).hideHelp();
  return read === undefined ? option : option.argParser(read);
}

/** Where the output of jobs goes. */
export function stdioOption(what = 'where job output goes (default: the specification, else files)'): Option {
  return new Option('--stdio <mode>', what).choices(stdioModes);
}

/** An option of `choices` that also takes an empty text, which removes what was set. */
export function clearable(option: Option): Option {
  const read = option.parseArg;
  return option.argParser((text: string, before: unknown) => (text === '' ? '' : read?.(text, before)));
}

export function terminationSignalOption(): Option {
  const what = 'what jobs with supports_termination get before their time is over';
  return new Option('--termination-signal <name>', what).choices(terminationSignals);
}
