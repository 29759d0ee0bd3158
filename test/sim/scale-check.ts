/** Jobs that need more than they ask for at first: only what they run out of grows, from the last value, only for them. */
import type { Assignment } from '../../src/api/contract.ts';
import { nextValue, type Scale } from '../../src/model/scale.ts';
import type { Database } from '../../src/storage/database/database.ts';
import { rule, type TestJob } from '../support/service.ts';
import type { Random } from './random.ts';

export interface TrueNeed {
  memoryBytes: number;
  runtimeMs: number;
}

const first = { memory: 1024 ** 2, runtime: 1_000 };
const mostSteps = 4;
const scale: Scale = { memory: { factor: 1.5 }, runtime: { factor: 2 } };

/** Enough retries for a job that runs out of both. */
export const scalingRules = [
  rule({ exit_codes: [], causes: ['oom', 'job_timeout'], max_retries: 2 * mostSteps, scale }),
];

/** Some of the jobs that state nothing of their own yet. */
export function randomNeeds(jobs: readonly TestJob[], random: Random): Map<string, TrueNeed> {
  const able = jobs.filter((job) => job.failureHandler === undefined && !job.supportsTermination && !job.fromData);
  return new Map(able.filter(() => random.chance(0.3)).map(({ name }) => [name, randomNeed(random)]));
}

function randomNeed(random: Random): TrueNeed {
  const grown = (value: number, factor: number): number => Math.round(value * factor ** random.int(0, mostSteps - 1));
  return { memoryBytes: grown(first.memory, 1.5), runtimeMs: grown(first.runtime, 2) };
}

export function withScaling(job: TestJob, need: TrueNeed | undefined, failureHandler: number): TestJob {
  if (need === undefined) return job;
  return { ...job, memory: first.memory, runtime: first.runtime / 1000, failureHandler };
}

/** What an attempt of a job runs out of, and the code with which its process then ends. */
export function runsOutOf(
  need: TrueNeed | undefined,
  { memory_limit_bytes: memory, runtime_limit_ms: runtime }: Assignment,
): { reason: 'memory_limit' | 'runtime_limit'; code: number } | null {
  if (need === undefined) return null;
  if (need.memoryBytes > (memory ?? Number.POSITIVE_INFINITY)) return { reason: 'memory_limit', code: 137 };
  return need.runtimeMs > (runtime ?? Number.POSITIVE_INFINITY) ? { reason: 'runtime_limit', code: 152 } : null;
}

interface Tried {
  job_key: number;
  name: string;
  cause: string | null;
  /** Its failure was final although it could have been tried again. */
  is_given_up: number;
  is_scaled: number;
  /** Its specification was created again since its first attempt, which sets what it asks for. */
  is_taken_over: number;
  memory: number;
  runtime: number;
}

export function brokenScaling(db: Database, needs: ReadonlyMap<string, TrueNeed>): string[] {
  if (needs.size === 0) return [];
  const attempts = db.all<Tried>(
    `SELECT a.job_key, j.name, a.cause, a.scaled IS NOT NULL AS is_scaled, EXISTS (SELECT 1 FROM events e
         WHERE e.workflow_key = a.workflow_key AND e.type = 'specification_taken_over') AS is_taken_over, s.memory_bytes AS memory,
       s.runtime_ms AS runtime, a.cause IN ('oom', 'job_timeout') AND a.attempt_key = j.attempt_key
         AND j.status = 'done' AND a.stop_reason IS NULL AND w.is_canceled = 0 AND w.has_failed_out = 0
         AND w.run_id = a.run_id AND j.num_retries < json_extract(h.rules, '$[0].max_retries') AS is_given_up
     FROM workflows w JOIN attempts a ON a.workflow_key = w.workflow_key JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = a.shape_key
     JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key
     WHERE json_extract(h.rules, '$[0].scale') IS NOT NULL AND a.inherited_from IS NULL ORDER BY a.job_key, a.attempt_key`,
  );
  const broken: string[] = [];
  let expected = first;
  for (const [at, tried] of attempts.entries()) {
    const before = attempts[at - 1];
    expected = before?.job_key === tried.job_key ? after(before) : first;
    const { memory, runtime } = expected;
    // what grows after that is one of the two; the other one is as the specification says again
    const isWrong = (field: 'memory' | 'runtime'): boolean =>
      tried[field] !== expected[field] && (tried.is_taken_over === 0 || tried[field] !== first[field]);
    if (isWrong('memory') || isWrong('runtime')) {
      const words = `${tried.memory} bytes and ${tried.runtime} ms instead of ${memory} and ${runtime}`;
      broken.push(`job ${tried.job_key} (${tried.name}) asks for ${words}`);
    }
    if (tried.is_given_up === 1) {
      broken.push(
        `job ${tried.job_key} (${tried.name}) failed for good, cause ${tried.cause}: its request can still grow`,
      );
    }
  }
  return broken;
}

/** What the next attempt asks for. */
function after({ cause, is_scaled, memory, runtime }: Tried): typeof first {
  if (is_scaled === 0) return { memory, runtime };
  const grown = (field: 'memory' | 'runtime', tried: number): number =>
    nextValue(field, scale[field] as NonNullable<Scale['memory']>, { tried, used: null }) ?? tried;
  if (cause === 'oom') return { memory: grown('memory', memory), runtime };
  return cause === 'job_timeout' ? { memory, runtime: grown('runtime', runtime) } : { memory, runtime };
}
