/** ^C and the polite ways to end a process: the command that runs decides, else the process ends at once. */
import type { Terminal } from './terminal.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type InterruptSignal = (typeof signals)[number];

/** May be called several times, once for each signal that arrives. */
export type InterruptHandler = (signal: InterruptSignal) => void;

export interface Interrupts {
  /** The newest handler gets the signals until the returned function removes it. */
  handle(handler: InterruptHandler): () => void;
  /** Ends the process with `exitCode` although work is under way. */
  exit(exitCode: number, signal: InterruptSignal): void;
}

export function processInterrupts(terminal: Terminal, exitCode: number): Interrupts {
  const handlers: InterruptHandler[] = [];
  const exit = (code: number, signal: InterruptSignal): void => {
    if (!terminal.isWriting()) process.exit(code);
    // exit() joins the thread pool, and a write to a reader that pauses may never end there: die of the signal itself
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
