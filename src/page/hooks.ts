/** What changes while one looks: replies of the server, asked for again when something happened and somebody looks. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Reply, StatusLine } from '../api/contract.ts';
import { CallError, type CallName, type CallReply, type CallRequest, call, timedCall } from './call.ts';

export interface Live {
  /** Null before the first reply. */
  reply: Reply<'status'> | null;
  /** Goes up with every change. */
  version: number;
  trouble: CallError | null;
}

const longPollSeconds = 25;
const pauseMs = 1000;
/** Longer for each workflow that goes on: what it costs the server grows with them. */
const pauseOfEachMs = 50;
const retryMs = 2000;

/** How these workflows stand, or the newest ones; the server answers when that changes. Nothing is asked while the page is hidden. */
export function useLive(keys: readonly string[] | null, limit: number): Live {
  const [live, setLive] = useState<Live>({ reply: null, version: 0, trouble: null });
  const id = keys?.join(',') ?? null;
  useEffect(() => {
    setLive(({ version }) => ({ reply: null, version: version + 1, trouble: null }));
    const ending = new AbortController();
    void follow(id === null ? null : id.split(','), limit, ending.signal, setLive);
    return () => ending.abort();
  }, [id, limit]);
  return live;
}

type SetLive = (change: (before: Live) => Live) => void;

async function follow(keys: string[] | null, limit: number, signal: AbortSignal, setLive: SetLive): Promise<void> {
  let state: string | null = null;
  while (!signal.aborted) {
    await untilVisible(signal);
    if (signal.aborted) return;
    const visible = whileVisible(signal);
    try {
      const wait_seconds = state === null ? 0 : longPollSeconds;
      const request = { workflow_keys: keys, user: null, limit, state, wait_seconds };
      const reply: Reply<'status'> = await call('status', request, visible.signal);
      const isNew: boolean = reply.state !== state;
      state = reply.state;
      setLive(({ version, trouble }) => {
        return { reply, version: isNew || trouble !== null ? version + 1 : version, trouble: null };
      });
      const numGoingOn = reply.workflows.filter(({ has_ended }) => !has_ended).length;
      await pause(pauseMs + pauseOfEachMs * Math.max(0, numGoingOn - 1), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof CallError)) continue;
      setLive((before) => ({ ...before, trouble: error }));
      if (!error.isPassing) return;
      state = null;
      await pause(retryMs, signal);
    } finally {
      visible.end();
    }
  }
}

/** A signal that fires when the page is hidden as well, until `end` is called. */
function whileVisible(signal: AbortSignal): { signal: AbortSignal; end: () => void } {
  const ending = new AbortController();
  const abort = (): void => ending.abort();
  const look = (): void => {
    if (document.hidden) abort();
  };
  document.addEventListener('visibilitychange', look);
  signal.addEventListener('abort', abort);
  return {
    signal: ending.signal,
    end() {
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', abort);
    },
  };
}

function untilVisible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const look = (): void => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      resolve();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
  });
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

/** Before something is asked for again that could not be answered. */
export async function untilRetry(signal: AbortSignal): Promise<void> {
  await pause(retryMs, signal);
  await untilVisible(signal);
}

export interface Asked<T> {
  /** The last reply, also while the next one is awaited. */
  reply: T | null;
  error: CallError | null;
}

/** What is asked for again costs the server at most one percent of a processor, except that nobody waits longer than this. */
const costShare = 0.01;
const longestMs = 60_000;

/**
 * Runs `work` when asked to, one at a time and at most every `everyMs`, or less often the more it costs the server; what is
 * asked for meanwhile runs once afterwards. `work` resolves with its cost in milliseconds.
 */
export class Repeater {
  readonly #work: () => Promise<number>;
  readonly #everyMs: number;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #nextMs = 0;
  #isRunning = false;
  #isWanted = false;
  #hasEnded = false;

  constructor(work: () => Promise<number>, everyMs: number) {
    this.#work = work;
    this.#everyMs = everyMs;
  }

  ask(): void {
    this.#isWanted = true;
    if (this.#isRunning || this.#hasEnded) return;
    this.#timer ??= setTimeout(() => void this.#run(), Math.max(0, this.#nextMs - Date.now()));
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#timer = null;
    this.#isWanted = false;
    this.#isRunning = true;
    const costMs = await this.#work();
    this.#isRunning = false;
    this.#nextMs = Date.now() + Math.max(this.#everyMs, Math.min(costMs / costShare, longestMs));
    if (this.#isWanted) this.ask();
  }
}

/**
 * The reply to a request; asked for again when `version` changes, at most every `everyMs`, less often where it costs much, and
 * while somebody looks. A request of null asks nothing.
 */
export function useReply<N extends CallName>(
  name: N,
  request: CallRequest<N> | null,
  version: number,
  everyMs = 2000,
): Asked<CallReply<N>> {
  const [asked, setAsked] = useState<Asked<CallReply<N>> & { id: string }>({ reply: null, error: null, id: '' });
  const repeater = useRef<Repeater | null>(null);
  const id = request === null ? '' : JSON.stringify(request);
  useEffect(() => {
    if (id === '') return;
    const ending = new AbortController();
    const ask = async (): Promise<number> => {
      await untilVisible(ending.signal);
      if (ending.signal.aborted) return 0;
      try {
        const { reply, costMs } = await timedCall(name, JSON.parse(id) as CallRequest<N>, ending.signal);
        setAsked({ reply, error: null, id });
        return costMs;
      } catch (error) {
        if (ending.signal.aborted || !(error instanceof CallError)) return 0;
        setAsked((before) => ({ reply: before.id === id ? before.reply : null, error, id }));
        if (!error.isPassing) return 0;
        await untilRetry(ending.signal);
        made.ask();
        return 0;
      }
    };
    const made = new Repeater(ask, everyMs);
    repeater.current = made;
    made.ask();
    return () => {
      made.end();
      ending.abort();
    };
  }, [name, id, everyMs]);
  // the version is what asks again
  useEffect(() => repeater.current?.ask(), [version]);
  return asked.id === id ? asked : { reply: null, error: null };
}

/** The time, again every few seconds while somebody looks. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

let program: Promise<string> | null = null;

/** How torc is typed here, with the server directory where it is another one than usual. */
export function useTorc(): string {
  const [torc, setTorc] = useState('torc');
  useEffect(() => {
    program ??= call('program', {}).then((reply) => reply.torc);
    program.then(setTorc, () => {
      program = null;
    });
  }, []);
  return torc;
}

/** The value once it has stayed the same for this long; the first one at once. */
export function useSettled<T>(value: T, forMs: number): T {
  const [settled, setSettled] = useState(value);
  const id = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(JSON.parse(id) as T), forMs);
    return () => clearTimeout(timer);
  }, [id, forMs]);
  return settled;
}

/** The newest reply, also while that to another request is awaited; `of` says what it is about. */
export function useLast<T>(reply: T | null, of: string): T | null {
  const last = useRef<{ reply: T | null; of: string }>({ reply: null, of });
  if (last.current.of !== of) last.current = { reply: null, of };
  if (reply !== null) last.current = { reply, of };
  return last.current.reply;
}

/** Why there is no workflow to follow; null where there is one, or nobody knows yet. */
export function missingOf({ reply, trouble }: Live): CallError | null {
  return reply === null && trouble?.code === 'not_found' ? trouble : null;
}

/** The line of the only workflow that is followed. */
export function onlyLine({ reply }: Live): StatusLine | null {
  return reply?.workflows[0] ?? null;
}
