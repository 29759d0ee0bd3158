/** Which jobs a worker takes, whatever their size: those of its Slurm config, and those whose labels it has. */
import { type LabelSet, labelSet, labelsIn, noLabels, ownLabels } from '../labels.ts';

/** The Slurm config key of jobs that any worker may take. */
export const anyConfig = 0;

export interface Pool {
  /** The Slurm config of the worker's allocation; null outside of one. */
  config: number | null;
  /** All that it has: what it was given, and what it has by itself. */
  labels: LabelSet;
  takesUnlabelled: boolean;
}

/** Where a job may run. */
export interface Belonging {
  /** Of the Slurm config whose workers are the only ones that may take it, or `anyConfig`. */
  slurmConfigKey: number;
  /** The worker has all of them. */
  labels: LabelSet;
}

export function mayTake(pool: Pool, job: Belonging): boolean {
  return admitsConfig(pool, job) && admitsLabels(pool, job);
}

/** What the workers in the allocations of a Slurm config will take; their cluster is not known yet. */
export function poolOfConfig(config: { key: number; name: string; labels: LabelSet; alsoUnlabelled: boolean }): Pool {
  const own = ownLabels({ isSlurm: true, config: config.name, cluster: null });
  const labels = labelSet([...labelsIn(config.labels), ...own]);
  return { config: config.key, labels, takesUnlabelled: config.labels === noLabels || config.alsoUnlabelled };
}

/** A worker outside of allocations takes jobs of every Slurm config. */
export function admitsConfig({ config }: Pick<Pool, 'config'>, { slurmConfigKey }: Belonging): boolean {
  return slurmConfigKey === anyConfig || config === null || config === slurmConfigKey;
}

/** A job that names the worker's own Slurm config says where it belongs, even without labels. */
function admitsLabels({ config, labels, takesUnlabelled }: Pool, job: Belonging): boolean {
  if (job.labels !== noLabels) return hasAll(labels, job.labels);
  return takesUnlabelled || (config !== null && config === job.slurmConfigKey);
}

/** The labels that a job asks for and the worker does not have. */
export function missingLabels({ labels }: Pick<Pool, 'labels'>, job: Pick<Belonging, 'labels'>): string[] {
  const had = new Set(labelsIn(labels));
  return labelsIn(job.labels).filter((label) => !had.has(label));
}

/** Answers by the labels of the worker, then of the job: each pair is compared once. */
const known = new Map<LabelSet, Map<LabelSet, boolean>>();
const mostKnown = 10_000;
let numKnown = 0;

function hasAll(labels: LabelSet, asked: LabelSet): boolean {
  const found = known.get(labels)?.get(asked);
  if (found !== undefined) return found;
  const answer = missingLabels({ labels }, { labels: asked }).length === 0;
  if (numKnown >= mostKnown) {
    known.clear();
    numKnown = 0;
  }
  const answers = known.get(labels) ?? new Map<LabelSet, boolean>();
  known.set(labels, answers.set(asked, answer));
  numKnown += 1;
  return answer;
}
