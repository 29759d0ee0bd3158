/** One relay: a process on a node that carries connections of workers here, over its standard input and output. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { RelayCarrier } from '../../api/relay-carrier.ts';
import { GreetingReader, type RelayGreeting } from '../../api/relay-frames.ts';
import type { Clock } from '../../base/clock.ts';
import type { RemoteCommand } from '../../slurm/relay.ts';

/** Slurm may let a step wait, and a busy file system the program. */
const greetsWithinMs = 60_000;
/** Between asking it to end and ending it. */
const endsWithinMs = 2_000;
const tailBytes = 2_000;

export interface RelayEvents {
  listens(greeting: RelayGreeting): void;
  /** It has ended; called once. `words` is what it said last, empty for nothing. */
  ended(reason: string, words: string): void;
}

export class RelayProcess {
  readonly #child: ChildProcess;
  readonly #events: RelayEvents;
  readonly #clock: Clock;
  readonly #hasEnded: Promise<void>;
  #carrier: RelayCarrier | null = null;
  #reason: string | null = null;
  #stderr = '';
  #cancelTimer: () => void;

  constructor(remote: RemoteCommand, connect: () => Socket, events: RelayEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    this.#child = spawn(remote.command, remote.args, { stdio: ['pipe', 'pipe', 'pipe'], env: remote.variables });
    this.#cancelTimer = clock.after(greetsWithinMs, () => this.end('it did not say in time that it listens'));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-tailBytes);
    });
    this.#child.stdin?.on('error', () => {});
    this.#readGreeting(connect);
    this.#hasEnded = new Promise((resolve) => {
      const settle = (reason: string): void => {
        this.#cancelTimer();
        this.#carrier?.end(reason);
        this.#events.ended(this.#reason ?? reason, this.#stderr.trim());
        resolve();
      };
      // a program that is not there never closes
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) settle(error.message);
      });
      this.#child.once('close', (code, signal) =>
        settle(`${remote.command} ended with ${signal ?? `exit code ${code}`}`),
      );
    });
  }

  /** Connections that it carries; 0 before it listens. */
  get numStreams(): number {
    return this.#carrier?.numStreams ?? 0;
  }

  /** Lets it end: it does when its input does. Resolves when it has. */
  end(reason: string): Promise<void> {
    if (this.#reason === null) {
      this.#reason = reason;
      this.#cancelTimer();
      this.#carrier?.end(reason);
      this.#child.stdin?.end();
      this.#cancelTimer = this.#clock.after(endsWithinMs, () => {
        this.#child.kill('SIGTERM');
        this.#cancelTimer = this.#clock.after(endsWithinMs, () => this.#child.kill('SIGKILL'));
      });
    }
    return this.#hasEnded;
  }

  #readGreeting(connect: () => Socket): void {
    const { stdin: output, stdout: input } = this.#child;
    if (output === null || input === null) return;
    const reader = new GreetingReader();
    const take = (piece: Buffer): void => {
      try {
        const found = reader.take(piece);
        if (found === null) return;
        input.off('data', take);
        this.#cancelTimer();
        if (this.#reason !== null) return;
        const over = (reason: string): void => void this.end(reason);
        this.#carrier = new RelayCarrier({ input, output, connect, over });
        this.#events.listens(found.greeting);
        this.#carrier.take(found.rest);
      } catch (error) {
        void this.end((error as Error).message);
      }
    };
    input.on('data', take);
  }
}
