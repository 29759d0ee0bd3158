/** The workflow that the options of `torc exec` describe. */
import { basename, extname } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { expandCommandLines } from '../../model/expand/commands-file.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import { type Entries, jsonEntries, lineEntries, readArray } from '../../model/expand/entries.ts';
import { plainWorkflow } from '../../model/expand/plain-jobs.ts';
import {
  entryJobs,
  type GivenCommand,
  type RepeatedJobs,
  sweptJobs,
  unusedParameters,
} from '../../model/expand/repeated-commands.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { quoted } from '../../model/spec/names.ts';
import { ParameterProblem, productOf, readValues, type Sweep, type Value, zipOf } from '../../model/spec/parameters.ts';
import { type Context, note } from '../context/context.ts';
import type { ExecOptions } from '../input/exec-options.ts';
import { programName } from './exec-script.ts';
import { commandsHint, standardInput } from './given-file.ts';
import { LineFile } from './line-file.ts';
import { withSettings } from './read-spec.ts';

const repetitions = { param: '--param', eachLine: '--each-line', fromJson: '--from-json', array: '--array' } as const;

/** `words`: the program and its arguments, none when the options say what runs. Throws TorcError, SpecError. */
export async function execWorkflow(
  context: Context,
  words: readonly string[],
  options: ExecOptions,
): Promise<ExpandedWorkflow> {
  refuseCombinations(context, words, options);
  const made = await commandsWorkflow(context, words, options);
  const { workflow } = withSettings(context, made, options.stdio !== undefined);
  const { stdio, failFast, timeout, monitor } = options;
  return {
    ...workflow,
    ...(stdio === undefined ? {} : { stdio }),
    ...(failFast === true ? { maxFailures: 1 } : {}),
    ...(timeout === undefined ? {} : { timeoutMs: Math.max(1, Math.round(timeout * 1000)) }),
    ...(monitor === 'time-series' ? { resourceMonitor: timeSeries(options) } : {}),
  };
}

function timeSeries({ generatePlots = false }: ExecOptions) {
  const sampleIntervalSeconds = specDefaults.sampleIntervalSeconds;
  return { enabled: true, granularity: 'time_series' as const, sampleIntervalSeconds, generatePlots };
}

function refuseCombinations({ torc }: Context, words: readonly string[], options: ExecOptions): void {
  const given = [
    ...(words.length > 0 ? ['a program'] : []),
    ...(options.command === undefined ? [] : ['-c']),
    ...(options.commandsFile === undefined ? [] : ['-C']),
  ];
  if (given.length === 0) {
    throw new TorcError('usage', 'nothing to run was given', `For example: ${torc} exec -- COMMAND ARGUMENT`);
  }
  if (given.length > 1) {
    throw new TorcError('usage', `${given.join(' and ')} cannot be combined`, 'Give only one of them.');
  }
  const repeats = Object.entries(repetitions).flatMap(([key, flag]) =>
    options[key as keyof typeof repetitions] === undefined ? [] : [flag],
  );
  if (repeats.length > 1) {
    throw new TorcError('usage', `${repeats.slice(0, 2).join(' and ')} cannot be combined`, 'Give only one of them.');
  }
  if (options.commandsFile !== undefined && repeats.length === 1) {
    const hint = `Give the command with -c: ${torc} exec -c 'COMMAND' ${repeats[0]} ..`;
    throw new TorcError('usage', `-C and ${repeats[0]} cannot be combined`, hint);
  }
  if (options.parameterMode !== undefined && options.param === undefined) {
    throw new TorcError('usage', '--parameter-mode can be used only with --param');
  }
}

async function commandsWorkflow(
  context: Context,
  words: readonly string[],
  options: ExecOptions,
): Promise<ExpandedWorkflow> {
  const { commandsFile, command = [] } = options;
  const stem = (path: string) => (path === standardInput ? 'commands' : basename(path, extname(path)));
  if (commandsFile !== undefined) {
    const lines = await LineFile.open(commandsFile, commandsHint);
    return expandCommandLines(lines, { ...options, file: lines.name, name: options.name ?? stem(commandsFile) });
  }
  const commands: GivenCommand[] = words.length > 0 ? [words] : command.map((text) => checkedText(text));
  const name = options.name ?? programName(words[0] ?? /^[\w./-]+/.exec(command[0]?.trim() ?? '')?.[0] ?? 'exec');
  const { numJobs, jobs, maxConcurrent } = await repeated(context, commands, options);
  const workflow = plainWorkflow(name, numJobs, jobs, options);
  return maxConcurrent === null ? workflow : { ...workflow, maxConcurrentJobs: maxConcurrent };
}

function checkedText(text: string): string {
  if (text.trim() !== '') return text;
  throw new TorcError('usage', '-c is empty', "For example: -c 'echo hello'");
}

async function repeated(
  context: Context,
  commands: readonly GivenCommand[],
  options: ExecOptions,
): Promise<RepeatedJobs & { maxConcurrent: number | null }> {
  const { array, param } = options;
  if (array !== undefined) {
    const tasks = readArray(array);
    return { ...entryJobs(commands, tasks), maxConcurrent: tasks.maxConcurrent };
  }
  const entries = await entriesOf(options);
  if (entries !== null) return { ...entryJobs(commands, entries), maxConcurrent: null };
  return { ...swept(context, commands, param ?? [], options), maxConcurrent: null };
}

async function entriesOf({ eachLine, fromJson }: ExecOptions): Promise<Entries | null> {
  if (eachLine !== undefined) {
    const lines = await LineFile.open(eachLine, 'Each of its lines becomes TORC_ENTRY of a job.');
    return lineEntries(lines, lines.name);
  }
  if (fromJson === undefined) return null;
  const file = await LineFile.open(fromJson, 'Each element of its list becomes TORC_ENTRY of a job.');
  return jsonEntries({ [Symbol.iterator]: () => file.pieces() }, file.name);
}

function swept(
  context: Context,
  commands: readonly GivenCommand[],
  params: readonly string[],
  { parameterMode }: ExecOptions,
): RepeatedJobs {
  try {
    const sweep = params.length === 0 ? null : sweepOf(context, params, parameterMode);
    for (const name of sweep === null ? [] : unusedParameters(commands, sweep)) {
      note(context, `no command contains {${name}}: its jobs would all be the same`, 'warning');
    }
    return sweptJobs(commands, sweep);
  } catch (error) {
    if (!(error instanceof ParameterProblem)) throw error;
    throw new TorcError('usage', `--param: ${error.message}`, paramHint);
  }
}

const paramHint = 'For example: --param i=1:100, --param lr=0:1:0.1, --param "kind=[a,b]".';

function sweepOf(context: Context, params: readonly string[], mode: ExecOptions['parameterMode']): Sweep {
  const values = new Map<string, Value[]>();
  for (const text of params) {
    const [, name, written] = /^([A-Za-z_][A-Za-z0-9_-]*)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || written === undefined) {
      throw new TorcError('usage', `--param '${text}' is not a name with values`, paramHint);
    }
    if (values.has(name)) throw new TorcError('usage', `--param ${name} appears twice`, 'Write its values as a list.');
    values.set(name, read(name, written));
    if (isOneWithCommas(written, values.get(name))) {
      note(
        context,
        `${name} has one value, ${quoted(written)}; for several: --param '${name}=[${written}]'`,
        'warning',
      );
    }
  }
  return mode === 'zip' ? zipOf(values) : productOf(values);
}

/** Other programs take `a,b` for two values. */
function isOneWithCommas(written: string, values: readonly Value[] = []): boolean {
  return values.length === 1 && written.includes(',') && !written.trim().startsWith('[');
}

function read(name: string, written: string): Value[] {
  try {
    return readValues(written);
  } catch (error) {
    if (!(error instanceof ParameterProblem)) throw error;
    throw new TorcError('usage', `--param ${name}: ${error.message}`, paramHint);
  }
}
