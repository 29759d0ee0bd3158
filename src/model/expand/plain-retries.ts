/** Retries that jobs state themselves, as failure handlers: equal ones share one. */
import type { ExpandedFailureHandler } from '../expanded.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import { type JobList, type JobSpec, jobsWith } from '../spec/spec.ts';
import { specDefaults } from './defaults.ts';
import { retryDelay } from './failure-handlers.ts';
import type { NameTable } from './name-table.ts';

export class PlainRetries {
  /** They come after the handlers that have names. */
  readonly handlers: ExpandedFailureHandler[] = [];
  readonly #named: NameTable;
  readonly #findings: Findings;
  readonly #numbers = new Map<string, number>();

  constructor(jobs: JobList, named: NameTable, findings: Findings) {
    this.#named = named;
    this.#findings = findings;
    for (const [i, job] of jobsWith(jobs, retryKeys)) this.#add(job, ['jobs', i]);
  }

  #add(spec: JobSpec, path: SpecPath): void {
    if (!statesRetries(spec)) return;
    const { max_retries, retry_delay } = spec;
    if (spec.failure_handler != null) {
      const key = max_retries == null ? (retry_delay == null ? 'retry_backoff' : 'retry_delay') : 'max_retries';
      this.#findings.add([...path, key], () => 'cannot be combined with failure_handler, whose rules say this');
    }
    const delay = retryDelay(spec, (key, message) => this.#findings.add([...path, key], () => message));
    const maxRetries = max_retries ?? specDefaults.maxRetries;
    const written = nameOf(maxRetries, delay);
    if (this.#numbers.has(written)) return;
    this.#numbers.set(written, this.#named.names.length + this.handlers.length);
    const rule = { exitCodes: [], matchAllExitCodes: true, causes: [], recoveryScript: null, maxRetries, ...delay };
    this.handlers.push({ name: this.#free(written), isPlain: true, rules: [rule] });
  }

  /** The number of the failure handler of a job that states its retries itself. */
  numberOf(spec: JobSpec): number | null {
    if (!statesRetries(spec)) return null;
    const delay = retryDelay(spec, () => {});
    return this.#numbers.get(nameOf(spec.max_retries ?? specDefaults.maxRetries, delay)) ?? null;
  }

  #free(written: string): string {
    let name = written;
    for (let n = 2; this.#named.numberOf(name) !== undefined; n++) name = `${written} (${n})`;
    return name;
  }
}

const retryKeys = ['max_retries', 'retry_delay', 'retry_backoff'] as const;

function statesRetries(spec: JobSpec): boolean {
  return retryKeys.some((key) => spec[key] != null);
}

function nameOf(maxRetries: number, { retryDelayMs, retryBackoff }: ReturnType<typeof retryDelay>): string {
  const parts = [`max_retries ${maxRetries}`];
  if (retryDelayMs > 0) parts.push(`retry_delay ${retryDelayMs / 1000} s`);
  if (retryBackoff !== 1) parts.push(`retry_backoff ${retryBackoff}`);
  return parts.join(', ');
}
