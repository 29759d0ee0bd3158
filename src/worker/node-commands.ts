/** Runs the commands of actions on the worker's node: when it starts, and when it has no more jobs and leaves. */
import type { ActionReport, WorkerCommands } from '../api/contract.ts';
import type { Log } from '../base/log.ts';
import type { WorkerEffects } from './effects.ts';

export interface CommandDependencies {
  effects: Pick<WorkerEffects, 'runCommands'>;
  log: Log;
  /** The commands of a firing have ended. */
  ended(report: ActionReport): void;
  /** All commands for this occasion have ended. */
  through(when: WorkerCommands['when']): void;
}

/** Runs each firing at most once, however often the server names it. */
export class NodeCommands {
  readonly #deps: CommandDependencies;
  readonly #abort = new AbortController();
  readonly #known = new Set<number>();
  #waiting: WorkerCommands[] = [];
  #running: WorkerCommands['when'] | null = null;

  constructor(deps: CommandDependencies) {
    this.#deps = deps;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Adds what the server named. */
  add(commands: readonly WorkerCommands[]): void {
    for (const one of commands) {
      if (this.#known.has(one.firing)) continue;
      this.#known.add(one.firing);
      this.#waiting.push(one);
    }
  }

  /** Starts the commands for this occasion; false when there are none or others are running. */
  begin(when: WorkerCommands['when']): boolean {
    const chosen = this.#waiting.filter((one) => one.when === when);
    if (chosen.length === 0 || this.isRunning || this.#abort.signal.aborted) return false;
    this.#waiting = this.#waiting.filter((one) => one.when !== when);
    this.#running = when;
    void this.#run(chosen, when);
    return true;
  }

  /** Ends the running commands; no others are started. */
  stop(): void {
    this.#abort.abort();
  }

  async #run(chosen: readonly WorkerCommands[], when: WorkerCommands['when']): Promise<void> {
    for (const one of chosen) {
      const report = await this.#deps.effects.runCommands(one, this.#abort.signal);
      if (report.error !== null) {
        this.#deps.log.warn({ firing: one.firing, error: report.error }, 'the commands of an action failed');
      }
      this.#deps.ended(report);
    }
    this.#running = null;
    this.#deps.through(when);
  }
}
