/**
 * Commands files: one shell command on each line, each of them a job. Blank lines and lines that begin with `#` are
 * skipped. Jobs are made as they are read, so that a million of them need not be in memory at once.
 */

import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { type ExpandedJob, type ExpandedWorkflow, noFurtherParts } from '../expanded.ts';
import { defaultRequirements, type Requirements } from '../job.ts';
import { type Problem, SpecError, shownProblems } from '../spec/problems.ts';
import { decodeUtf8 } from '../spec/source.ts';
import { specDefaults } from './defaults.ts';

export interface CommandsOptions {
  /** As people typed it; names the file in messages. */
  file: string;
  /** Name of the workflow. */
  name: string;
  /** What each job asks for, as typed; nothing else is limited. */
  cpus?: number | undefined;
  memory?: string | undefined;
  runtime?: string | undefined;
}

/** The workflow of a commands file's text or bytes. Throws SpecError, or TorcError('usage') for the options. */
export function expandCommands(source: string | Uint8Array, options: CommandsOptions): ExpandedWorkflow {
  const text = typeof source === 'string' ? source : decodeUtf8(source, options.file);
  const requirements = requirementsOf(options);
  const check = new CommandCheck(options.file);
  for (const line of linesOf(text)) check.see(line);
  return workflowOf(check.finish(), { [Symbol.iterator]: () => commandsOf(linesOf(text)) }, requirements, options);
}

/** The same from lines that arrive one by one; only the commands are kept. */
export async function expandCommandLines(
  lines: Iterable<string> | AsyncIterable<string>,
  options: CommandsOptions,
): Promise<ExpandedWorkflow> {
  const requirements = requirementsOf(options);
  const check = new CommandCheck(options.file);
  const commands: string[] = [];
  for await (const line of lines) {
    const command = check.see(line);
    if (command !== null) commands.push(command);
  }
  return workflowOf(check.finish(), commands, requirements, options);
}

function workflowOf(
  numJobs: number,
  commands: Iterable<string>,
  requirements: Requirements | null,
  options: CommandsOptions,
): ExpandedWorkflow {
  const defaults = specDefaults;
  return {
    name: options.name,
    description: null,
    project: null,
    metadata: null,
    expirationBufferSeconds: defaults.expirationBufferSeconds,
    waitForNewJobsSeconds: defaults.waitForNewJobsSeconds,
    ignoreWorkflowCompletion: defaults.ignoreWorkflowCompletion,
    waitForHealthyDatabaseMinutes: defaults.waitForHealthyDatabaseMinutes,
    jobsSortMethod: defaults.jobsSortMethod,
    stdio: defaults.stdio,
    maxLosses: defaults.maxLosses,
    terminationSignal: defaults.terminationSignal,
    sigtermLeadSeconds: defaults.sigtermLeadSeconds,
    createOutputFolders: defaults.createOutputFolders,
    requirements: requirements === null ? [] : [{ ...requirements, name: 'default' }],
    files: [],
    userData: [],
    numJobs,
    jobs: { [Symbol.iterator]: () => jobsOf(commands, numJobs, requirements === null ? null : 0) },
    numBarriers: 0,
    edges: [],
    ...noFurtherParts,
  };
}

/** Names are padded with zeros to one width, so that sorting them as text keeps the order of the file. */
function* jobsOf(commands: Iterable<string>, numJobs: number, requirements: number | null): Generator<ExpandedJob> {
  const width = String(numJobs).length;
  let number = 0;
  for (const command of commands) {
    number += 1;
    yield {
      name: `job_${String(number).padStart(width, '0')}`,
      command,
      invocationScript: null,
      requirements,
      failureHandler: null,
      scheduler: null,
      priority: specDefaults.priority,
      cancelOnBlockingJobFailure: specDefaults.cancelOnBlockingJobFailure,
      supportsTermination: specDefaults.supportsTermination,
      inputFiles: [],
      outputFiles: [],
      inputUserData: [],
      outputUserData: [],
    };
  }
}

function requirementsOf({ cpus, memory, runtime }: CommandsOptions): Requirements | null {
  if (cpus === undefined && memory === undefined && runtime === undefined) return null;
  if (cpus !== undefined && !(Number.isSafeInteger(cpus) && cpus > 0)) {
    throw new TorcError('usage', `${cpus} is not a number of CPUs.`, 'Write a whole number, at least 1.');
  }
  return {
    ...defaultRequirements,
    numCpus: cpus ?? defaultRequirements.numCpus,
    memoryBytes: memory === undefined ? defaultRequirements.memoryBytes : positive(parseMemory(memory), memory),
    runtimeMs: runtime === undefined ? defaultRequirements.runtimeMs : positive(parseDuration(runtime), runtime) * 1000,
    isMemoryStated: memory !== undefined,
    isRuntimeStated: runtime !== undefined,
  };
}

function positive(value: number, written: string): number {
  if (value > 0) return value;
  throw new TorcError('usage', `${JSON.stringify(written)} is not more than zero.`, 'Write a value above zero.');
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}

function* commandsOf(lines: Iterable<string>): Generator<string> {
  for (const line of lines) {
    const command = commandOf(line);
    if (command !== null) yield command;
  }
}

/** The command of a line, without a line break of Windows or a byte order mark; null for a blank line or comment. */
function commandOf(line: string): string | null {
  const command = line.replace(/^\ufeff/, '').trim();
  return command === '' || command.startsWith('#') ? null : command;
}

class CommandCheck {
  readonly #file: string;
  readonly #problems: Problem[] = [];
  #numProblems = 0;
  #line = 0;
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  see(line: string): string | null {
    this.#line += 1;
    const command = commandOf(line);
    if (command === null) return null;
    this.#count += 1;
    if (command.includes('\0')) this.#refuse(line.indexOf('\0'), 'a NUL byte; a commands file is plain text');
    // the shell takes an even number of backslashes as plain text
    if ((/\\+$/.exec(command)?.[0].length ?? 0) % 2 === 1) {
      this.#refuse(line.lastIndexOf('\\'), 'ends in a backslash: each command must be on one line');
    }
    return command;
  }

  /** The number of commands. */
  finish(): number {
    if (this.#numProblems === 0 && this.#count === 0) this.#refuse(0, 'has no commands: write one on each line');
    if (this.#numProblems > 0) throw new SpecError(this.#problems, this.#numProblems);
    return this.#count;
  }

  #refuse(index: number, message: string): void {
    this.#numProblems += 1;
    if (this.#problems.length >= shownProblems) return;
    this.#problems.push({ file: this.#file, line: Math.max(1, this.#line), column: index + 1, path: '', message });
  }
}
