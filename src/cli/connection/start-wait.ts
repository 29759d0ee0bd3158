/** How long a command waits for the server that it has started: as long as that upgrades a large database. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { formatMemory } from '../../base/units.ts';
import { type Context, note } from '../context/context.ts';
import { lineStart } from '../context/terminal.ts';

const answersWithinMs = 30_000;
/** A start that takes longer may be an upgrade. */
const lookAfterMs = 2_000;
const lookEveryMs = 500;

/** What is asked of the process and of its database; tests replace it. */
export interface StartEvidence {
  /** Text that changes while the process works; null when nothing is known. */
  work(): string | null;
  /** The size of a database that is still of an older torc; null for any other. */
  olderDatabaseBytes(): Promise<number | null>;
}

export function startEvidence(directory: string, pid: number): StartEvidence {
  return {
    work() {
      try {
        return ['stat', 'io'].map((name) => readFileSync(join('/proc', String(pid), name), 'utf8')).join('');
      } catch {
        return null;
      }
    },
    async olderDatabaseBytes() {
      const { olderDatabaseBytes } = await import('../../server/owner/inspection.ts');
      return olderDatabaseBytes(directory);
    },
  };
}

export class StartWait {
  readonly #context: Context;
  readonly #evidence: StartEvidence;
  readonly #startedAt: number;
  #workedAt: number;
  #lookAt: number;
  #work: string | null = null;
  #isUpgrading = false;

  constructor(context: Context, evidence: StartEvidence) {
    this.#context = context;
    this.#evidence = evidence;
    this.#startedAt = context.clock.monotonic();
    this.#workedAt = this.#startedAt;
    this.#lookAt = this.#workedAt + lookAfterMs;
  }

  /** Throws TorcError 'unreachable' once it was too long. */
  async look(logPath: string): Promise<void> {
    const now = this.#context.clock.monotonic();
    if (now >= this.#lookAt) {
      this.#lookAt = now + lookEveryMs;
      await this.#lookForUpgrade(now);
    }
    if (now - this.#workedAt <= answersWithinMs) return;
    const words = this.#isUpgrading
      ? 'the server upgrades the database, but has made no progress for 30 seconds'
      : 'the server did not answer within 30 seconds';
    throw new TorcError('unreachable', words, `See ${logPath}`);
  }

  async #lookForUpgrade(now: number): Promise<void> {
    const bytes = await this.#evidence.olderDatabaseBytes().catch(() => null);
    if (bytes === null) return;
    const text = `upgrading the database (${formatMemory(bytes)}) for this version of torc`;
    if (this.#context.hasProgress) {
      const seconds = Math.floor((now - this.#startedAt) / 1000);
      this.#context.terminal.err(`${lineStart}${text}: ${seconds} s`, 'log');
    } else if (!this.#isUpgrading) note(this.#context, `${text}; this command waits until it is done`);
    this.#isUpgrading = true;
    const work = this.#evidence.work();
    if (work === null || work === this.#work) return;
    this.#work = work;
    this.#workedAt = now;
  }

  /** Removes what it shows on the terminal. */
  end(): void {
    if (this.#isUpgrading && this.#context.hasProgress) this.#context.terminal.err(lineStart, 'log');
  }
}
