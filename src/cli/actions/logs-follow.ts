/** Follows the output of jobs: waits for those that have not started, and goes on with the next attempt of each. */
import type { JobOutputs } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import type { JobsToRead } from '../input/chosen-jobs.ts';
import { AttemptLog } from '../output/attempt-log.ts';
import type { Stream } from '../output/attempt-output.ts';
import { chosenAttempt, type LogsOptions, needsAll, pieceBytes, readOutputs } from '../output/job-outputs.ts';
import { type JobPrinter, NamedPrinter, nameWidth, PlainPrinter } from '../output/job-printers.ts';

const growEveryMs = 250;
const lookEveryMs = 1000;
const lookAgainMs = 10_000;
/** Files of each are looked at several times a second. */
const mostFollowed = 500;

export async function followLogs(
  context: Context,
  { keys, isSingle }: JobsToRead,
  streams: readonly Stream[],
  options: LogsOptions,
): Promise<void> {
  if (keys.length > mostFollowed) {
    throw new TorcError('usage', `${keys.length} jobs are too many to follow`, `Choose at most ${mostFollowed}.`);
  }
  const first = await look(context, keys);
  const width = nameWidth(first.map(({ job }) => job.name));
  const followers = first.map((shown) => {
    const printer = isSingle ? new PlainPrinter(context) : new NamedPrinter(context, shown.job.name, width);
    return new Follower(shown, printer, streams, options);
  });
  noteWaiting(context, followers);
  let lookAt = context.clock.monotonic() + lookEveryMs;
  for (let active = followers; active.length > 0; ) {
    const read = active.map((follower) => follower.read());
    // another attempt may write into a shared file by now: what was read counts if the server knows of no end
    if (context.clock.monotonic() >= lookAt || active.some(({ isShared }) => isShared)) {
      update(active, await look(context, keys));
      lookAt = context.clock.monotonic() + lookEveryMs;
    }
    let isGrowing = false;
    for (const [index, follower] of active.entries()) {
      const grown = await follower.print(read[index] ?? null);
      if (grown === 'no reader') return;
      isGrowing ||= grown === 'grew';
    }
    active = active.filter(({ hasEnded }) => !hasEnded);
    if (active.length > 0 && !isGrowing) await delay(context.clock, growEveryMs);
  }
}

/** Reads the jobs; when the server that serves them ends meanwhile, asks whoever has the database after it. */
async function look(context: Context, keys: readonly string[]): Promise<JobOutputs[]> {
  const giveUpAt = context.clock.monotonic() + lookAgainMs;
  for (;;) {
    try {
      return await withConnection(context, ({ api }) => readOutputs(api, keys, true));
    } catch (error) {
      const isGone = error instanceof TorcError && error.code === 'unreachable';
      if (!isGone || context.clock.monotonic() >= giveUpAt) throw error;
    }
    await delay(context.clock, growEveryMs);
  }
}

function update(followers: readonly Follower[], shown: readonly JobOutputs[]): void {
  const byKey = new Map(shown.map((each) => [each.job.job_key, each]));
  for (const follower of followers) follower.update(byKey.get(follower.key));
}

function noteWaiting(context: Context, followers: readonly Follower[]): void {
  const waiting = followers.filter(({ isWaiting }) => isWaiting);
  if (waiting.length === 0) return;
  const what = waiting.length === 1 ? `job ${waiting[0]?.key}` : counted(waiting.length, 'job');
  note(context, `waiting for ${what} to start`);
}

const endedStatuses: ReadonlySet<string> = new Set(['done', 'canceled', 'terminated', 'disabled']);

/** What was read of the streams of an attempt, and of which. */
interface Pieces {
  log: AttemptLog;
  /** Nothing more was going to be written when it was read. */
  wasOver: boolean;
  kind: unknown;
  parts: readonly { stream: Stream; piece: Buffer | null }[];
}

class Follower {
  readonly #printer: JobPrinter;
  readonly #streams: readonly Stream[];
  readonly #options: LogsOptions;
  #shown: JobOutputs;
  #log: AttemptLog | null = null;
  #offsets: Record<Stream, number> = { stdout: 0, stderr: 0 };
  #isFirst = true;
  /** The attempts before this one are printed, or were not asked for. */
  #next: number | null = null;
  hasEnded = false;

  constructor(shown: JobOutputs, printer: JobPrinter, streams: readonly Stream[], options: LogsOptions) {
    this.#shown = shown;
    this.#printer = printer;
    this.#streams = streams;
    this.#options = options;
    this.#beginNext();
  }

  get key(): string {
    return this.#shown.job.job_key;
  }

  get isShared(): boolean {
    return this.#log?.isShared === true;
  }

  get isWaiting(): boolean {
    return this.#log === null && !this.#isOver();
  }

  update(shown: JobOutputs | undefined): void {
    if (shown === undefined) return;
    this.#shown = shown;
    this.#log?.update(shown);
    if (this.#log === null) this.#beginNext();
  }

  /** What was written since the last time; null when there is no attempt to read. */
  read(): Pieces | null {
    const log = this.#log;
    if (log === null) return null;
    const tail = this.#isFirst ? this.#options.tail : undefined;
    const parts = this.#streams.map((stream) => {
      if (tail !== undefined) this.#offsets[stream] = log.tailStart(stream, tail);
      return { stream, piece: log.readOnce(stream, this.#offsets[stream], pieceBytes) };
    });
    return { log, wasOver: log.hasEnded, kind: log.attempt.log_kind, parts };
  }

  /** Prints what was read, unless it was of another attempt; goes on to the next attempt after the end of one. */
  async print(read: Pieces | null): Promise<'grew' | 'same' | 'no reader'> {
    if (read === null) {
      this.hasEnded = this.#isOver();
      if (this.hasEnded) this.#printer.say('it ended without having started');
      return 'same';
    }
    const { log, wasOver, kind, parts } = read;
    if (log.attempt.log_kind !== kind) return 'grew';
    this.#isFirst = false;
    let hasGrown = false;
    for (const { stream, piece } of parts) {
      if (piece === null || piece.length === 0) continue;
      hasGrown = true;
      this.#offsets[stream] += piece.length;
      if (!(await this.#printer.write(log, stream, piece))) return 'no reader';
    }
    if (hasGrown || !wasOver) return hasGrown ? 'grew' : 'same';
    for (const { stream, piece } of parts) {
      await this.#printer.end(stream);
      if (piece === null && log.whyNothing === null) this.#printer.say(log.missing(stream));
    }
    if (log.whyNothing !== null) this.#printer.say(log.whyNothing);
    this.#goOn();
    return 'same';
  }

  /** The newest attempt at first, then each one after it. */
  #beginNext(): void {
    const { attempts } = this.#shown;
    const chosen = this.#next === null ? chosenAttempt(this.#shown, this.#options) : attempts[this.#next];
    if (chosen == null) return;
    this.#next = attempts.indexOf(chosen) + 1;
    // each refresh is for all jobs together
    this.#log = new AttemptLog(this.#shown, chosen, async () => this.#shown);
    this.#offsets = { stdout: 0, stderr: 0 };
  }

  #goOn(): void {
    this.#log = null;
    if (!needsAll(this.#options)) this.#beginNext();
    if (this.#log === null) this.hasEnded = needsAll(this.#options) || this.#isOver();
  }

  /** Whether no attempt of the job is going to start. */
  #isOver(): boolean {
    const { status, orphaned } = this.#shown.job;
    return orphaned || endedStatuses.has(status);
  }
}
