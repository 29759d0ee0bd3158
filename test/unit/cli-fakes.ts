/** A terminal and a server in memory, to test commands without a process. */
import type { Api, ListRecord, Request } from '../../src/api/contract.ts';
import type { Clock } from '../../src/base/clock.ts';
import { type Context, createContext, type GlobalOptions } from '../../src/cli/context/context.ts';
import type { Interrupts } from '../../src/cli/context/interrupts.ts';
import type { Terminal } from '../../src/cli/context/terminal.ts';

export interface FakeTerminal extends Terminal {
  stdout: string[];
  stderr: string[];
  /** The reader is gone after this many writes. */
  readsAtMost: number;
}

export function fakeTerminal(isTerminal = false): FakeTerminal {
  const terminal: FakeTerminal = {
    stdout: [],
    stderr: [],
    readsAtMost: Number.POSITIVE_INFINITY,
    isStdinTerminal: isTerminal,
    isStdoutTerminal: isTerminal,
    isStderrTerminal: isTerminal,
    columns: () => 80,
    isWriting: () => false,
    async out(text) {
      if (terminal.stdout.length >= terminal.readsAtMost) return false;
      terminal.stdout.push(Buffer.from(text as string).toString());
      return true;
    },
    err: (text) => void terminal.stderr.push(text),
  };
  return terminal;
}

export const noInterrupts: Interrupts = { handle: () => () => {}, exit: () => {} };

export function fakeContext(
  terminal: Terminal,
  options: GlobalOptions = {},
  env: Record<string, string | undefined> = {},
): Context {
  return createContext(options, { terminal, interrupts: noInterrupts, env: { HOME: '/home/a', ...env } });
}

/** A clock that moves only on request. */
export function fakeClock(): Clock & { move(milliseconds: number): void } {
  let now = 0;
  return {
    now: () => now,
    monotonic: () => now,
    after: () => () => {},
    move(milliseconds) {
      now += milliseconds;
    },
  };
}

/** A server that has only lists. */
export function listServer(records: readonly ListRecord[]): { api: Api; requests: Request<'list'>[] } {
  const requests: Request<'list'>[] = [];
  const call = async (_endpoint: string, request: Request<'list'>) => {
    requests.push(request);
    const page = records.slice(request.skip, request.skip + request.limit);
    return { records: page, more: request.skip + request.limit < records.length };
  };
  return { api: { call: call as Api['call'], close: async () => {} }, requests };
}
