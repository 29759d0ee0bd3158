// The person at the terminal: looks at results, and types `restart` when jobs are left behind.
import { askTorc, runTorc } from './processes.mjs';

/** Allowed exit codes while servers come and go: done, failed jobs, conflict, unreachable, nothing to do. */
const usual = new Set([0, 1, 4, 5, 7]);

export class Person {
  #run;
  #key;
  /** Results that a list has shown, by attempt; each must stay. */
  seen = new Map();
  /** Jobs that had to run again although they had succeeded. */
  resetJobs = new Set();
  numRestarts = 0;
  /** Commands that failed in a way that is not allowed. */
  unexpected = [];

  /** `run` has `torc(args)` and `ask(args)`, and optionally `tend()` for other work of the person. */
  constructor(run, workflowKey) {
    this.#run = run;
    this.#key = workflowKey;
  }

  static at(place, directory, workflowKey) {
    const before = ['--dir', directory];
    return new Person(
      {
        torc: (args) => runTorc(place, [...before, '-F', 'json', ...args]),
        ask: (args) => askTorc(place, [...before, ...args]),
      },
      workflowKey,
    );
  }

  async #type(...args) {
    const ended = await this.#run.torc(args);
    if (!usual.has(ended.code)) {
      const how = ended.signal ?? ended.code;
      this.unexpected.push(
        `${new Date().toISOString()} torc ${args.join(' ')}: ${how}: ${ended.stderr.trim().slice(-500)}`,
      );
    }
    return ended;
  }

  async tend() {
    await this.#run.tend?.(this.#key);
  }

  async results() {
    const answer = await this.#run.ask(['results', 'list', '-k', this.#key]);
    return answer?.results ?? null;
  }

  async lookAtResults() {
    for (const result of (await this.results()) ?? []) this.seen.set(attemptOf(result), result.return_code);
  }

  async workflow() {
    const answer = await this.#run.ask(['workflows', 'list', '-f', `workflow_key=${this.#key}`]);
    return answer?.workflows[0] ?? null;
  }

  async jobs(...filters) {
    const words = filters.flatMap((filter) => ['-f', filter]);
    return (await this.#run.ask(['jobs', 'list', '-k', this.#key, ...words]))?.jobs ?? null;
  }

  /** `restart --dry-run`, and the restart itself if it would run jobs again; running jobs continue. */
  async restart() {
    const words = ['workflows', 'restart', this.#key, '--keep-running'];
    const planned = await this.#type(...words, '--dry-run');
    if (planned.code !== 0 || JSON.parse(planned.stdout).changes.length === 0) return;
    const applied = await this.#type(...words);
    if (applied.code !== 0) return;
    this.numRestarts += 1;
    for (const change of JSON.parse(applied.stdout).changes) {
      if (change.old_status === 'done') this.resetJobs.add(change.job_key);
    }
  }

  /** Runs finally failed jobs and all downstream jobs again. */
  async resetFailed() {
    const { code, stdout } = await this.#type('workflows', 'reset-status', this.#key, '--failed-only', '--restart');
    if (code !== 0) return;
    this.numRestarts += 1;
    for (const change of JSON.parse(stdout).changes) this.resetJobs.add(change.job_key);
  }
}

export function attemptOf({ job_key, run_id, attempt_id }) {
  return `${job_key} ${run_id} ${attempt_id}`;
}
