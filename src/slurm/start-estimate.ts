/** Reads what `sbatch --test-only` says: when an allocation could start, or why Slurm would refuse it. */
import { parseCount, parseInstant, presentText } from './fields.ts';
import { ownWords } from './replies.ts';

export type StartEstimate =
  | { kind: 'starts'; startMs: number; nodes: string | null; partition: string | null; numCpus: number | null }
  | { kind: 'refused'; reason: string }
  /** It answered with other words. */
  | { kind: 'unread'; reason: string };

/** `Job 26 to start at 2026-11-20T17:45:45 using 2 processors on nodes c[1-2] in partition main`. */
const start =
  /^(?:sbatch: )?Job \d+ to start at (\S+)(?: a)?(?: using (\d+) processors)?(?: on(?: nodes)? (\S*))?(?: in partition (\S+))?(?:\s|$)/m;

/** Words before Slurm's own reason. */
const beforeReason = /^(?:Batch job submission failed|allocation failure): /;

/** Slurm could not be asked. */
const isAway = /unable to contact|timed out|zero bytes|communication|connection refused/i;

/** Whether the text says that Slurm did not answer. */
export function isSlurmAway(stderr: string): boolean {
  return isAway.test(ownWords(stderr) ?? '');
}

/** Null when the text says neither, or that Slurm did not answer. */
export function startEstimateIn(stderr: string): StartEstimate | null {
  const found = start.exec(stderr);
  const startMs = parseInstant(found?.[1]);
  if (found !== null && startMs !== null) {
    const [, , cpus, nodes, partition = null] = found;
    return { kind: 'starts', startMs, nodes: presentText(nodes), partition, numCpus: parseCount(cpus) };
  }
  const words = ownWords(stderr);
  if (words === null || isAway.test(words)) return null;
  const reasons = words.split(' / ').map((each) => each.replace(beforeReason, ''));
  return { kind: 'refused', reason: [...new Set(reasons)].join(' / ') };
}
