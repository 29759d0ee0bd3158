/** `torc watch` and `torc wait`: until the runs of workflows have ended, with and without showing how they go. */
import type { Api, StatusReply } from '../../api/contract.ts';
import { exitCodes, TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { type Followed, followStatus, hasEnded, type Seen } from '../connection/follow-status.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { openScreen, type Screen } from '../context/screen.ts';
import { type RecoveryOptions, recoverySettings, setRecoveries } from '../input/recovery-settings.ts';
import { chooseWorkflows } from '../input/workflow-key.ts';
import { FailedJobs, failureColumns, failuresText, readFailures } from '../output/failures.ts';
import { LackNotes, standstill } from '../output/standstill.ts';
import { cannotWriteLines, nextCommands, type PageParts, statusPage } from '../output/status-page.ts';
import { type Look, statusTable } from '../output/status-table.ts';
import { unheardWorkers, unreachedOf } from '../output/unreached.ts';
import { changeLine, changeText, exitCodeOfAll, recoveryWait, screenLines } from '../output/watch-lines.ts';
import { recoverHere } from './recover-here.ts';

export interface WaitOptions {
  /** Seconds. */
  timeout?: number;
}

/** The page of the only workflow that is watched; null of several. */
export type Page = Pick<PageParts, 'page' | 'failures' | 'unheard'> | null;

/** For who waits only for the end. */
const untilEndMs = 200;
const shownMs = 1000;
/** The elapsed time moves on even if nothing else does. */
const redrawMs = 1000;

/** The exit code of the run, or 130 when a person ended the watching. */
export async function watchWorkflows(
  context: Context,
  given: readonly string[],
  options: RecoveryOptions = {},
): Promise<number> {
  const settings = recoverySettings(options);
  const keys = settings === null ? await chosenKeys(context, given) : await setRecoveries(context, given, settings);
  const isLive = context.format === 'text' && context.terminal.isStdoutTerminal && context.env.TERM !== 'dumb';
  return isLive ? await watchOnScreen(context, keys) : await watchInPipe(context, keys);
}

/** The exit code of the run; throws TorcError 'timeout' when it takes longer than `timeout`, 'conflict' when none goes on. */
export async function waitForWorkflows(
  context: Context,
  given: readonly string[],
  { timeout }: WaitOptions,
): Promise<number> {
  const keys = await chosenKeys(context, given);
  const ending = new AbortController();
  const cancel = timeout === undefined ? () => {} : context.clock.after(timeout * 1000, () => ending.abort());
  const waiting = { keys, pauseMs: untilEndMs, look: async () => null, ending };
  const last = await untilEnded(context, waiting, () => {}).finally(cancel);
  if (last.hasEnded) return exitCodeOfAll(last.reply as StatusReply);
  if (last.isInterrupted) throw interrupted(context, keys, last.reply);
  const names = keys.length === 1 ? `workflow ${keys[0]} has` : `workflows ${keys.join(', ')} have`;
  throw new TorcError('timeout', `${names} not ended after ${timeout} s`, `${context.torc} status ${keys.join(' ')}`);
}

async function chosenKeys(context: Context, given: readonly string[]): Promise<string[]> {
  return withConnection(context, async ({ api }) => (await chooseWorkflows(context, api, given, 'reads')).keys);
}

interface Waiting<T> {
  keys: readonly string[];
  pauseMs: number;
  look: (api: Api) => Promise<T>;
  ending: AbortController;
  /** Whether what is shown says what workflows lack. */
  showsLack?: boolean;
}

interface Last {
  /** What was seen last; null when nothing was. */
  reply: StatusReply | null;
  hasEnded: boolean;
  isInterrupted: boolean;
}

/**
 * Shows what is seen until all runs have ended, a signal comes, or `ending` fires. Throws 'conflict' where nothing goes on before somebody starts a workflow.
 */
async function untilEnded<T>(
  context: Context,
  { ending, showsLack = false, ...waiting }: Waiting<T>,
  show: (seen: Seen<T>) => void | Promise<void>,
): Promise<Last> {
  let isInterrupted = false;
  let reply: StatusReply | null = null;
  const lack = showsLack ? null : new LackNotes(context);
  const removeHandler = context.interrupts.handle(() => {
    isInterrupted = true;
    ending.abort();
  });
  try {
    for await (const seen of followStatus(context, { ...waiting, signal: ending.signal })) {
      if (seen.kind === 'status') reply = seen.seen.reply;
      await show(seen);
      if (reply === null) continue;
      if (hasEnded(reply)) return { reply, hasEnded: true, isInterrupted };
      if (seen.kind === 'status') await recoverHere(context, reply, ending.signal);
      const stop = standstill(context, reply);
      if (stop !== null) throw stop;
      lack?.seen(reply);
    }
    return { reply, hasEnded: false, isInterrupted };
  } finally {
    ending.abort();
    lack?.end();
    removeHandler();
  }
}

function interrupted({ torc }: Context, keys: readonly string[], reply: StatusReply | null): TorcError {
  const all = keys.join(' ');
  return new TorcError(
    'interrupted',
    `no longer waiting; ${goesOn(keys, reply)}`,
    `To wait again: ${torc} wait ${all}. To cancel it: ${torc} workflows cancel ${all}`,
  );
}

/** `workflow 7 goes on: 12 of 20 jobs done`. */
function goesOn(keys: readonly string[], reply: StatusReply | null): string {
  const name = keys.length === 1 ? `workflow ${keys[0]} goes on` : `workflows ${keys.join(', ')} go on`;
  if (reply === null) return name;
  const [done, all] = (['num_done', 'num_jobs'] as const).map((count) =>
    reply.workflows.reduce((sum, line) => sum + line[count], 0),
  );
  return `${name}: ${done} of ${all} jobs done`;
}

/** A line for each workflow that has changed, and how it failed at the end. */
async function watchInPipe(context: Context, keys: readonly string[]): Promise<number> {
  const shown = new Map<string, { text: string; recoversAt: string | null }>();
  let [isAway, isFull] = [false, false];
  const show = async (seen: Seen<null>): Promise<void> => {
    if (seen.kind === 'away') {
      if (!isAway) note(context, `${seen.message}; still watching`, 'warning');
      isAway = true;
      return;
    }
    const { is_served, cannot_write, workflows } = seen.seen.reply;
    if (isAway && is_served) note(context, 'the server answers again');
    isAway = false;
    if (cannot_write !== null && !isFull) {
      note(context, cannotWriteLines(context, cannot_write, context.clock.now()).join('; '), 'warning');
    }
    isFull = cannot_write !== null;
    for (const line of workflows) {
      const now = context.clock.now();
      const wait = recoveryWait(line, now);
      const text = changeText(line);
      const last = shown.get(line.workflow_key);
      if (last?.text === text && (wait === null || last.recoversAt === line.recovers_at)) continue;
      shown.set(line.workflow_key, { text, recoversAt: line.recovers_at });
      const json = context.format === 'json' ? jsonText(line) : `${changeLine(line, now)}${wait ?? ''}`;
      await context.terminal.out(`${json}\n`);
    }
  };
  const ending = new AbortController();
  const last = await untilEnded(context, { keys, pauseMs: shownMs, look: async () => null, ending }, show);
  if (!last.hasEnded) throw interrupted(context, keys, last.reply);
  const reply = last.reply as StatusReply;
  if (context.format === 'text') await context.terminal.out(await endText(context, reply));
  return exitCodeOfAll(reply);
}

/** How the workflows failed, and what to type next. */
async function endText(context: Context, { workflows }: StatusReply): Promise<string> {
  const failed = workflows.filter(({ num_failed, num_lost }) => num_failed + num_lost > 0);
  if (failed.length === 0) return '';
  return withConnection(context, async ({ api }) => {
    const texts: string[] = [];
    for (const line of failed) {
      const { failures } = await api.call('workflow_status', { workflow_key: line.workflow_key });
      const read = await readFailures(context, api, failures);
      const next = nextCommands(context.torc, line, read).map((command) => `  ${command}\n`);
      texts.push(failuresText(context, line.workflow_key, read, failureColumns(context)), `\nnext:\n${next.join('')}`);
    }
    return texts.join('');
  });
}

/** The page of one workflow or a table of several, redrawn in place; at the end it stays above the prompt. */
async function watchOnScreen(context: Context, keys: readonly string[]): Promise<number> {
  let last: Followed<Page> | null = null;
  let trouble: string | null = null;
  let screen: Screen | null = null;
  const ending = new AbortController();
  const draw = (): void => {
    if (screen === null) return;
    const look = { columns: screen.columns(), hasColor: context.hasColor };
    const text = last === null ? 'connecting ..' : textOf(context, last, look);
    const footer = trouble === null ? 'q ends watching; the work goes on' : `${trouble}; still watching (q ends it)`;
    screen.draw(screenLines(text, footer, { columns: look.columns, rows: screen.rows() }));
  };
  const quit = (key: string): void => {
    if (key === 'q' || key === 'Q' || key === '\x03') ending.abort();
  };
  screen = openScreen(context.terminal, { key: quit, resized: draw, lost: () => ending.abort() });
  let ended: Last;
  let stopTicking = (): void => {};
  const tick = (): void => {
    draw();
    stopTicking = context.clock.after(redrawMs, tick);
  };
  try {
    tick();
    ended = await untilEnded(
      context,
      { keys, pauseMs: shownMs, look: pageReader(context, keys), ending, showsLack: true },
      (seen) => {
        if (seen.kind === 'status') last = seen.seen;
        trouble = seen.kind === 'away' ? seen.message : null;
        draw();
      },
    );
  } finally {
    stopTicking();
    screen.close();
  }
  const look = { columns: context.terminal.columns(), hasColor: context.hasColor };
  if (last !== null) await context.terminal.out(textOf(context, last, look), 'colors');
  if (ended.hasEnded) return exitCodeOfAll(ended.reply as StatusReply);
  note(
    context,
    `\nno longer watching; ${goesOn(keys, ended.reply)}. To watch again: ${context.torc} watch ${keys.join(' ')}`,
  );
  return exitCodes.interrupted;
}

function textOf(context: Context, { reply, more }: Followed<Page>, look: Look): string {
  if (more === null) {
    const lack = reply.cannot_write;
    const lines = lack === null ? [] : cannotWriteLines(context, lack, context.clock.now());
    return [...lines.map((line) => `${line}\n`), statusTable(reply.workflows, look)].join('');
  }
  return statusPage(context, { ...more, now: context.clock.now(), isWatched: true }, look);
}

/** Reads the page of the only workflow; the output of a failed job now and then. */
export function pageReader(context: Context, keys: readonly string[]): (api: Api) => Promise<Page> {
  const [only] = keys;
  const failed = new FailedJobs(context.clock);
  return async (api) => {
    if (only === undefined || keys.length > 1) return null;
    const page = await api.call('workflow_status', { workflow_key: only });
    const failures = await readFailures(context, api, page.failures, failed.of(page.workflow));
    const now = context.clock.now();
    const unheard = unheardWorkers(context, page, unreachedOf(context.directory, only, now), now);
    return { page, failures, unheard };
  };
}
