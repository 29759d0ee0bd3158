/**
 * What a person can change from the page: commands of torc, run as if they were typed, each with its dry run first. So the
 * page plans, asks and reports as the command line does, and shows what to type for the same.
 */
import { execFile } from 'node:child_process';
import { type DashPlan, type DashRequest, type DashResult, dashCommands, type NodePlanText } from '../../api/dash.ts';
import { programEnvironment, programPath } from '../../base/program.ts';
import type { Context } from '../context/context.ts';
import { stateOfText } from '../plans/shown-plan.ts';

const mostBytes = 16 * 1024 * 1024;
const withinMs = 600_000;
const shownCharacters = 200_000;

/** The words after `torc`. */
export function wordsOf({ command, key, number, least }: DashRequest): string[] {
  const count = String(number ?? dashCommands[command].number ?? 1);
  switch (command) {
    case 'start':
    case 'restart':
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'correct-resources':
      return ['workflows', command, key];
    case 'rerun-failed':
    case 'recover':
      return [command, key];
    case 'schedule-nodes':
      return ['-k', key, 'hpc', 'slurm', command, '-n', count];
    case 'autoscale':
      return ['workflows', command, key, '--max', count, ...(least === undefined ? [] : ['--min', String(least)])];
    case 'autoscale-off':
      return ['workflows', 'autoscale', key, '--off'];
    case 'jobs-hold':
    case 'jobs-release':
    case 'jobs-cancel':
    case 'jobs-mark-done':
      return ['jobs', command.slice('jobs-'.length), key];
  }
}

/** What the command would do. Changes nothing. When `signal` fires, nobody waits for it any more. */
export async function planCommand(context: Context, request: DashRequest, signal?: AbortSignal): Promise<DashPlan> {
  const typed = `${context.torc} ${wordsOf(request).join(' ')}`;
  const { planned } = dashCommands[request.command];
  if (planned !== null) return { typed, text: planned, is_possible: true, state: stateOfText(planned) };
  const { code, text } = await run(context, [...wordsOf(request), '--dry-run'], signal);
  return { typed, text, is_possible: code === 0, state: stateOfText(text) };
}

/** Runs the command, unless its plan is no longer the one that was seen: then returns the new one. */
export async function applyCommand(
  context: Context,
  { state, ...request }: DashRequest & { state: string },
): Promise<DashResult> {
  if (dashCommands[request.command].isExact) {
    const plan = await planCommand(context, request);
    if (plan.state !== state) return { is_done: false, new_plan: plan, text: '' };
  }
  const { code, text } = await run(context, wordsOf(request));
  return { is_done: code === 0, new_plan: null, text };
}

/** Which allocations the workflow needs, as the command prints it. */
export async function planNodes(context: Context, key: string, signal: AbortSignal): Promise<NodePlanText> {
  const words = ['hpc', 'slurm', 'plan', key];
  const { code, text } = await run(context, words, signal);
  return { typed: `${context.torc} ${words.join(' ')}`, text, is_possible: code === 0 };
}

function run(
  context: Context,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<{ code: number; text: string }> {
  const all = [programPath(), '--dir', context.directory, '--no-prompts', ...words];
  const env = { ...programEnvironment(), NO_COLOR: '1' };
  const options = { env, maxBuffer: mostBytes, timeout: withinMs, encoding: 'utf8', signal } as const;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, all, options, (error, stdout, stderr) => {
      const said = [stdout, stderr].map((text) => text.trim()).filter((text) => text !== '');
      const why = error !== null && said.length === 0 ? [error.message] : said;
      const text = why.join('\n\n');
      const isLong = text.length > shownCharacters;
      resolve({ code: error === null ? 0 : 1, text: isLong ? `${text.slice(0, shownCharacters)}\n..` : text });
    });
    child.stdin?.end();
  });
}
