/** What every command receives: the merged global options, the terminal, the clock. */
import { resolve } from 'node:path';
import { type Clock, systemClock } from '../../base/clock.ts';
import {
  currentUser,
  type Environment,
  environment,
  serverDirectory,
  serverPolicy,
  usualDirectory,
} from '../../base/config.ts';
import { shellWord } from '../../base/text.ts';
import type { Interrupts } from './interrupts.ts';
import { environmentWith, type Settings } from './settings.ts';
import type { Terminal } from './terminal.ts';

export const outputFormats = ['text', 'csv', 'json'] as const;
export type OutputFormat = (typeof outputFormats)[number];

export const consoleLevels = ['debug', 'info', 'warning', 'error'] as const;
export type ConsoleLevel = (typeof consoleLevels)[number];

/** Global options as typed; absent when not given. */
export interface GlobalOptions {
  workflowKey?: string;
  outputFormat?: OutputFormat;
  consoleLevel?: ConsoleLevel;
  user?: string;
  dir?: string;
  /** False with `-n`. */
  prompts?: boolean;
}

const longestCommandLine = 200;

export interface Context {
  /** Server directory, absolute. */
  directory: string;
  /** The start of a command line that uses the same directory: `torc` or `torc --dir D`. */
  torc: string;
  /** The command line, shown to others that wait for this process. */
  commandLine: string;
  format: OutputFormat;
  consoleLevel: ConsoleLevel;
  /** Who runs the command. */
  user: string;
  /** The user given with `-U`, which filters what is listed; or null. */
  userOption: string | null;
  /** `-k`, or null; `TORC_WORKFLOW_KEY` is read where a key is needed. */
  workflowKey: string | null;
  /** Whether there is a terminal for questions. */
  mayAsk: boolean;
  /** Whether `-n` was given: confirmations count as yes. */
  isNoPrompts: boolean;
  /** Whether the command only shows what it would change. */
  isDryRun: boolean;
  /** Of the plan that a person looks at: a dry run leaves its state here, and what is applied after it must be that plan. */
  seenPlan?: { state: string | null };
  /** Whether stdout has colour. */
  hasColor: boolean;
  /** Whether progress is shown. */
  hasProgress: boolean;
  env: Environment;
  /** What configuration files and the environment state; options override it. */
  settings: Settings;
  terminal: Terminal;
  clock: Clock;
  interrupts: Interrupts;
}

function typedAs(directory: string, env: Environment): string {
  return directory === usualDirectory(env) ? 'torc' : `torc --dir ${shellWord(directory)}`;
}

export interface ContextParts {
  /** The words of the command line after `torc`. */
  words?: readonly string[];
  isDryRun?: boolean;
  terminal: Terminal;
  interrupts: Interrupts;
  env?: Environment;
  settings?: Settings;
  clock?: Clock;
}

export function createContext(options: GlobalOptions, parts: ContextParts): Context {
  const { terminal, interrupts, settings = {}, clock = systemClock } = parts;
  const env = environmentWith(parts.env ?? environment(), settings);
  const directory = resolve(serverDirectory(options.dir, env));
  // refuses an unknown value before anything happens
  serverPolicy(env);
  const consoleLevel = options.consoleLevel ?? 'info';
  const isNoPrompts = options.prompts === false;
  return {
    directory,
    torc: typedAs(directory, env),
    commandLine: ['torc', ...(parts.words ?? [])].map(shellWord).join(' ').slice(0, longestCommandLine),
    format: options.outputFormat ?? 'text',
    consoleLevel,
    user: currentUser(),
    userOption: options.user ?? null,
    workflowKey: options.workflowKey ?? null,
    mayAsk: !isNoPrompts && terminal.isStdinTerminal && terminal.isStderrTerminal,
    isNoPrompts,
    isDryRun: parts.isDryRun ?? false,
    hasColor: terminal.isStdoutTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    hasProgress: terminal.isStderrTerminal && env.TERM !== 'dumb' && isShown('info', consoleLevel),
    env,
    settings,
    terminal,
    clock,
    interrupts,
  };
}

function isShown(level: ConsoleLevel, threshold: ConsoleLevel): boolean {
  return consoleLevels.indexOf(level) >= consoleLevels.indexOf(threshold);
}

/**
 * Prints a line to stderr if `--console-level` allows it. With JSON output a warning is a line `{"warning":".."}`, and
 * everything less important is left out.
 */
export function note({ format, consoleLevel, terminal }: Context, text: string, level: ConsoleLevel = 'info'): void {
  if (!isShown(level, consoleLevel)) return;
  if (format !== 'json') terminal.err(`${text}\n`);
  else if (isShown(level, 'warning')) {
    terminal.err(`${JSON.stringify({ warning: text.trimStart().replace(/^warning: /, '') })}\n`);
  }
}

/** Whether the command line asks for JSON, even if it cannot be parsed; torc 1.0 says it with `-f` and `--format`. */
export function isJsonAsked(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return (end < 0 ? words : words.slice(0, end)).some(
    (word, at) =>
      ['-Fjson', '--output-format=json', '--format=json'].includes(word) ||
      (word === 'json' && ['-F', '--output-format', '-f', '--format'].includes(words[at - 1] ?? '')),
  );
}
