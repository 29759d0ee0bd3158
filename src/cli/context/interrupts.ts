/** SIGINT, SIGTERM and SIGHUP: the running command handles them, else the process ends at once. */
import type { Terminal } from './terminal.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type InterruptSignal = (typeof signals)[number];

/** Called once for each signal that arrives. */
export type InterruptHandler = (signal: InterruptSignal) => void;

export interface Interrupts {
  /** The newest handler gets the signals until the returned function removes it. */
  handle(handler: InterruptHandler): () => void;
  /** Ends the process with `exitCode` even if work is in progress. */
  exit(exitCode: number, signal: InterruptSignal): void;
}

export function processInterrupts(terminal: Terminal, exitCode: number): Interrupts {
  const handlers: InterruptHandler[] = [];
  const exit = (code: number, signal: InterruptSignal): void => {
    if (!terminal.isWriting()) process.exit(code);
    // exit() waits for the thread pool, where a write to a paused reader may never end; the signal itself ends the process
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  for (const signal of signals) {
    process.on(signal, () => {
      const handler = handlers.at(-1);
      if (handler === undefined) exit(exitCode, signal);
      else handler(signal);
    });
  }
  return {
    exit,
    handle(handler) {
      handlers.push(handler);
      return () => {
        const at = handlers.lastIndexOf(handler);
        if (at >= 0) handlers.splice(at, 1);
      };
    },
  };
}
