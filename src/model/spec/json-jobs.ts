/**
 * A JSON document whose list `jobs` is long and plain: its jobs are read a block at a time whenever they are visited, so
 * that they are never in memory all at once. What has a fault, or jobs that are more than themselves, is left to the
 * readers of whole documents.
 */

import { BlockList } from '../../base/block-list.ts';
import { parseJson, withPlainNumbers } from '../../base/exact-json.ts';
import { keepNumbersAsWritten } from './attributes.ts';
import { checkShape, isMapping, isUserDocument } from './check.ts';
import { findList, type ListPlace, whereInJson } from './json.ts';
import { Findings, type Where } from './problems.ts';
import type { CheckedSpec, JobList, JobSpec } from './spec.ts';

/** The fewest jobs that are worth it, and how many are in memory at once. */
export interface Blocks {
  fewest: number;
  length: number;
}

const usualBlocks: Blocks = { fewest: 10_000, length: 500 };

/** Keys of jobs that stand for one job each, and whose values count as they are written. */
const plainKeys: ReadonlySet<string> = new Set<keyof JobSpec>([
  ...(['name', 'command', 'identity', 'invocation_script', 'steps', 'attributes', 'env', 'cwd', 'stdin'] as const),
  ...(['resource_requirements', 'failure_handler', 'scheduler', 'priority', 'hold', 'max_wait', 'labels'] as const),
  ...(['limit', 'limits', 'max_retries', 'retry_delay', 'retry_backoff', 'task_failure_is_success'] as const),
  ...(['cancel_on_blocking_job_failure', 'supports_termination', 'container', 'pin', 'warm'] as const),
  ...(['depends_on', 'input_files', 'output_files', 'input_user_data', 'output_user_data'] as const),
]);

/** Keys of a specification that change what its jobs say. */
const keysAboutJobs = ['variables', 'parameters', 'parameters_file', 'factory', 'factories', 'templates'] as const;

/** The specification in a JSON text, as the reader of whole documents reads it; null when that one has to. */
export function readLongSpec(text: string, blocks = usualBlocks): { spec: CheckedSpec; where: Where } | null {
  const place = findList(text, 'jobs', blocks.length);
  if (place === null || place.length < blocks.fewest) return null;
  const rest = plain(parseJson(`${text.slice(0, place.start)}[]${text.slice(place.end)}`));
  if (!isMapping(rest) || keysAboutJobs.some((key) => rest[key] != null)) return null;
  const jobs = new JsonJobs(text, place);
  const spec = checked(rest, jobs);
  return spec === null ? null : { spec: { ...spec, jobs }, where: whereInJson(text) };
}

/** The rest of a specification whose jobs are all plain and right; else null. */
function checked(rest: Record<string, unknown>, jobs: JsonJobs): CheckedSpec | null {
  let spec: CheckedSpec | null = null;
  for (const block of jobs.blocks()) {
    if (!jobs.notePlain(block)) return null;
    const found = checkShape({ ...(spec === null ? rest : { name: rest.name }), jobs: block }, new Findings());
    if (found === null) return null;
    spec ??= found;
  }
  return spec;
}

class JsonJobs extends BlockList<JobSpec> implements JobList {
  readonly usedKeys = new Set<string>();

  constructor(text: string, place: ListPlace) {
    super(place.length, place.every, (block) => jobsIn(text, place, block));
  }

  /** False when one of the jobs is not plain. */
  notePlain(jobs: readonly unknown[]): boolean {
    for (const job of jobs) {
      if (!isMapping(job)) return false;
      for (const key of Object.keys(job)) {
        if (!plainKeys.has(key)) return false;
        this.usedKeys.add(key);
      }
    }
    return true;
  }
}

/** The jobs of a block as they are written. */
function jobsIn(text: string, { starts, end }: ListPlace, block: number): JobSpec[] {
  const next = starts[block + 1];
  const stop = next === undefined ? end - 1 : text.lastIndexOf(',', next - 1);
  const { jobs } = plain({ jobs: parseJson(`[${text.slice(starts[block], stop)}]`) }) as { jobs: JobSpec[] };
  return jobs;
}

/** With numbers as a specification has them. */
function plain(document: unknown): unknown {
  keepNumbersAsWritten(document);
  return withPlainNumbers(document, isUserDocument);
}
