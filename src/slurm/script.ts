/** Makes the text of an allocation's sbatch script: a pure function of a Slurm config, a launch and the template. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TorcError } from '../base/errors.ts';
import { workerNodeOptions } from '../base/program.ts';
import { shellWord } from '../base/text.ts';
import { parseMemory } from '../base/units.ts';
import { checkedText, directive, extraDirectives } from './directives.ts';

/** Stored sbatch settings; null leaves the choice to Slurm and the site. */
export interface SlurmConfig {
  account: string;
  partition: string | null;
  qos: string | null;
  walltimeSeconds: number;
  numNodes: number;
  ntasksPerNode: number | null;
  /** Missing or null for none. */
  minCpus?: number | null;
  mem: string | null;
  tmp: string | null;
  gres: string | null;
  /** Further options of sbatch as one text, such as `--constraint=x --exclusive`. */
  extra: string | null;
}

/** What one allocation starts, and where. All paths are absolute and on a file system that the nodes share. */
export interface Launch {
  /** Unique, so that a submission without a known id can be found by it. */
  jobName: string;
  outputDirectory: string;
  /** Where workers and jobs start; null for the directory that sbatch was called in. */
  workingDirectory: string | null;
  nodeBinary: string;
  torcMain: string;
  serverDirectory: string;
  workflowKey: string;
  allocationKey: string;
  maxParallelJobs: number | null;
  pollIntervalSeconds: number | null;
  /** A worker on every node of the allocation; otherwise one on its first node, which owns all of them. */
  oneWorkerPerNode: boolean;
  /** How long before the end workers get SIGUSR2; Slurm may send it up to a minute earlier. */
  warningSeconds: number;
  /** Slurm does not start it again by itself. */
  isReplaced?: boolean;
  /** The Slurm job after whose end it starts; null for as soon as Slurm has the nodes. */
  after?: string | null;
}

/** What sbatch's options say of a launch. */
type Asked = Pick<
  Launch,
  'jobName' | 'serverDirectory' | 'oneWorkerPerNode' | 'warningSeconds' | 'isReplaced' | 'after'
>;

/** Slurm's upper bound for the time of a signal. */
const longestWarningSeconds = 65_535;

/** Slurm may send the warning early by this much. Source: sbatch(1), `--signal`. */
const warningImprecisionSeconds = 60;

/**
 * Where Slurm writes the script's output: in the server directory, because Slurm follows links and would append to what
 * others point it to. It must exist before sbatch is called, or the job fails without a trace.
 */
export function slurmOutputDirectory(serverDirectory: string): string {
  return join(serverDirectory, 'slurm_stdio');
}

/** Seconds as Slurm's `D-HH:MM:SS`; Slurm itself rounds up to whole minutes. */
export function formatWalltime(walltimeSeconds: number): string {
  const whole = wholeNumber('walltime in seconds', walltimeSeconds);
  const twoDigits = (value: number) => String(value).padStart(2, '0');
  const days = Math.floor(whole / 86_400);
  const clock = [Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60].map(twoDigits).join(':');
  return days === 0 ? clock : `${days}-${clock}`;
}

function wholeNumber(what: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TorcError('usage', `The ${what} is ${value}.`, `Give the ${what} as a whole number above 0.`);
}

/** A text as one word of the shell. Throws `usage` for control characters. */
function checkedWord(what: string, text: string): string {
  checkedText(what, text);
  return shellWord(text);
}

/** The path for --output. Slurm replaces %x, %j and others in it unless a backslash precedes them. */
function outputPattern(serverDirectory: string): string {
  if (serverDirectory.includes('\\')) {
    throw new TorcError(
      'usage',
      `The server directory ${JSON.stringify(serverDirectory)} contains a backslash, which Slurm cannot write to.`,
      'Choose another directory with --dir.',
    );
  }
  return join(slurmOutputDirectory(serverDirectory).replaceAll('%', '%%'), '%x_%j.out');
}

function checkedJobName(jobName: string): string {
  if (jobName !== '' && !jobName.includes('/')) return jobName;
  throw new TorcError(
    'usage',
    `The name ${JSON.stringify(jobName)} cannot name a Slurm job, because output files are named after it.`,
    'Give a job prefix without a slash.',
  );
}

function isEveryNode(config: SlurmConfig, launch: Asked): boolean {
  return launch.oneWorkerPerNode && config.numNodes > 1;
}

/**
 * Slurm's warning ahead of the end, for time limits that are lowered later. Short allocations have none: it could
 * arrive before the worker is ready, or stop jobs that would have ended in time, because the worker itself stops them
 * at most a tenth of the walltime ahead.
 */
function warning(config: SlurmConfig, launch: Asked): string[] {
  const seconds = Math.min(wholeNumber('warning time in seconds', launch.warningSeconds), longestWarningSeconds);
  if (seconds + warningImprecisionSeconds > config.walltimeSeconds / 10) return [];
  // `B:` signals the batch script, which the worker has replaced; without it the steps get the signal
  return [directive('signal', `${isEveryNode(config, launch) ? '' : 'B:'}USR2@${seconds}`, 'signal')];
}

/** Slurm takes sizes in whole units only: `1.5g` becomes `1536M`. Other texts stay as they are. */
function wholeSize(text: string | null): string | null {
  if (text === null || !/^[0-9]*\.[0-9]+ *[kmgtp]i?b?$/i.test(text.trim())) return text;
  const kibibytes = Math.ceil(parseMemory(text) / 1024);
  return kibibytes % 1024 === 0 ? `${kibibytes / 1024}M` : `${kibibytes}K`;
}

/** The script's `#SBATCH` lines. The config's extra options come last, so that sbatch lets them win. */
function directives(config: SlurmConfig, launch: Asked): string[] {
  const optional = (name: string, value: string | number | null) =>
    value === null || value === '' ? [] : [directive(name, value, name)];
  return [
    directive('job-name', checkedJobName(launch.jobName), 'job name'),
    ...optional('account', config.account),
    ...optional('partition', config.partition),
    ...optional('qos', config.qos),
    directive('time', formatWalltime(config.walltimeSeconds), 'walltime'),
    directive('nodes', wholeNumber('number of nodes', config.numNodes), 'number of nodes'),
    ...optional('ntasks-per-node', config.ntasksPerNode),
    ...optional('mincpus', config.minCpus ?? null),
    ...optional('mem', wholeSize(config.mem)),
    ...optional('tmp', wholeSize(config.tmp)),
    ...optional('gres', config.gres),
    directive('output', outputPattern(launch.serverDirectory), 'server directory'),
    directive('open-mode', 'append', 'open mode'),
    ...(launch.isReplaced === true ? [directive('no-requeue', null, 'requeue')] : []),
    ...(launch.after == null ? [] : [directive('dependency', `afterany:${launch.after}`, 'dependency')]),
    ...warning(config, launch),
    ...extraDirectives(config.extra ?? ''),
  ];
}

/** The worker's command line, with one option and its value on each line. */
function workerCommand(config: SlurmConfig, launch: Launch): string {
  const option = (name: string, value: string | number) => `--${name} ${checkedWord(name, String(value))}`;
  return [
    checkedWord('node binary', launch.nodeBinary),
    ...workerNodeOptions,
    checkedWord('program path', launch.torcMain),
    option('dir', launch.serverDirectory),
    `hpc slurm run-jobs ${checkedWord('workflow key', launch.workflowKey)}`,
    option('allocation', launch.allocationKey),
    option('output', launch.outputDirectory),
    option('walltime', config.walltimeSeconds),
    ...(config.numNodes > 1 && !launch.oneWorkerPerNode ? ['--all-nodes'] : []),
    ...(launch.maxParallelJobs === null ? [] : [option('max-parallel-jobs', launch.maxParallelJobs)]),
    ...(launch.pollIntervalSeconds === null ? [] : [option('poll-interval', launch.pollIntervalSeconds)]),
  ].join('\n  ');
}

let readOnce: string | null = null;

/** The template that comes with torc, a bash script with names in double braces. */
export function allocationTemplate(): string {
  readOnce ??= readFileSync(new URL('../../slurm/allocation.sbatch', import.meta.url), 'utf8');
  return readOnce;
}

/** Puts values into a template. A name in braces without a value, or a value without its name, is an error. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  const unused = new Set(Object.keys(values));
  const refuse = (problem: string) =>
    new TorcError('usage', `The sbatch template ${problem}.`, 'Restore slurm/allocation.sbatch as torc installs it.');
  const filled = template.replace(/\{\{([^{}\n]*)\}\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw refuse(`names {{${name}}}, which torc does not know`);
    unused.delete(name);
    return value;
  });
  if (unused.size > 0) throw refuse(`lacks {{${[...unused].join('}}, {{')}}}`);
  return filled;
}

/**
 * The sbatch script of one allocation. Throws TorcError `usage` for values that a script cannot contain: control
 * characters, options that torc sets itself, numbers that are not whole and above 0.
 */
export function allocationScript(config: SlurmConfig, launch: Launch, template = allocationTemplate()): string {
  const workingDirectory = launch.workingDirectory;
  return fillTemplate(template, {
    directives: directives(config, launch).join('\n'),
    server_directory: checkedWord('server directory', launch.serverDirectory),
    working_directory:
      workingDirectory === null ? '"$SLURM_SUBMIT_DIR"' : checkedWord('working directory', workingDirectory),
    worker_command: workerCommand(config, launch),
    workers: isEveryNode(config, launch) ? 'every-node' : 'first-node',
  });
}

/** A script that asks for the same allocation and runs nothing, for `sbatch --test-only`. */
export function emptyScript(config: SlurmConfig, asked: Asked): string {
  return `#!/bin/bash\n${directives(config, asked).join('\n')}\ntrue\n`;
}
