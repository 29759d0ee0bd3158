/** Notes on waiting jobs that belong elsewhere: to other Slurm configs, or to none, because of their labels. */
import type { Api, ListRecord } from '../../api/contract.ts';
import type { DemandRow } from '../../api/demand.ts';
import { counted } from '../../base/text.ts';
import {
  anyConfig,
  type Belonging,
  mayTake,
  missingLabels,
  type Pool,
  poolOfConfig,
} from '../../model/decide/pools.ts';
import { labelWords } from '../../model/decide/reason-text.ts';
import { labelsIn, noLabels } from '../../model/labels.ts';
import { type Context, note } from '../context/context.ts';
import { cellText } from './table.ts';

/** At most this many Slurm configs of a workflow are considered. */
const mostConfigs = 100;

/** A listed Slurm config, and which jobs its workers take. */
export interface Config {
  key: number;
  name: string;
  pool: Pool;
}

interface Waiting extends Belonging {
  numJobs: number;
}

/**
 * Warns of jobs that the workers of the chosen Slurm config, or of any for null, will not take because of labels. Jobs
 * for local workers, and those that are bound to another config, are left out.
 */
export async function notePools(
  context: Context,
  api: Api,
  workflowKey: string,
  chosen: ListRecord | null,
): Promise<void> {
  const all = await listedConfigs(api, workflowKey);
  if (all.length === 0) return;
  const key = chosen === null ? null : Number(chosen.slurm_config_key);
  const own = all.filter((config) => key === null || config.key === key);
  const left = (await waiting(api, workflowKey)).filter((job) => {
    const isElsewhere = job.slurmConfigKey !== anyConfig && key !== null && job.slurmConfigKey !== key;
    return !isElsewhere && !labelsIn(job.labels).includes('local') && !own.some(({ pool }) => mayTake(pool, job));
  });
  const lines = new Map<string, { numJobs: number; isHopeless: boolean }>();
  for (const job of left) {
    const other = all.find(({ pool }) => mayTake(pool, job));
    const line =
      other === undefined ? hopelessLine(context, workflowKey, job, all) : otherLine(context, workflowKey, other);
    const numJobs = job.numJobs + (lines.get(line)?.numJobs ?? 0);
    lines.set(line, { numJobs, isHopeless: other === undefined });
  }
  for (const [line, { numJobs, isHopeless }] of lines) {
    note(context, `${counted(numJobs, 'waiting job')} ${line}`, isHopeless ? 'warning' : 'info');
  }
}

async function waiting(api: Api, workflow_key: string): Promise<Waiting[]> {
  const { demand } = await api.call('demand', { workflow_key });
  return demand.map((row) => ({ numJobs: row.num_jobs, ...belongingOf(row) }));
}

export function belongingOf({ slurm_config_key, labels }: DemandRow): Belonging {
  return { slurmConfigKey: Number(slurm_config_key ?? anyConfig), labels: labels ?? noLabels };
}

/** Whether the workers of a listed Slurm config will take the jobs of a row of the demand, whatever their size. */
export function isForConfig(config: ListRecord, row: DemandRow): boolean {
  return mayTake(configOf(config).pool, belongingOf(row));
}

async function listedConfigs(api: Api, workflow_key: string): Promise<Config[]> {
  const request = { list: 'slurm_configs', workflow_key, sort_by: null, reverse: false } as const;
  const { records } = await api.call('list', { ...request, filters: [], limit: mostConfigs, skip: 0 });
  return records.map(configOf);
}

export function configOf({ slurm_config_key, name, labels, also_unlabelled }: ListRecord): Config {
  const config = { key: Number(slurm_config_key), name: String(name), labels: String(labels ?? noLabels) };
  return { ...config, pool: poolOfConfig({ ...config, alsoUnlabelled: also_unlabelled === true }) };
}

/** What follows the number of jobs; the lines fit one job and several. */
function otherLine({ torc }: Context, workflowKey: string, { key, name }: Config): string {
  return `for workers of Slurm config ${cellText(name)}: ${torc} -k ${workflowKey} hpc slurm schedule-nodes -s ${key} -n 1`;
}

function hopelessLine({ torc }: Context, workflowKey: string, job: Waiting, configs: readonly Config[]): string {
  if (job.labels === noLabels) {
    const [first] = configs;
    const command = `${torc} hpc slurm modify-config ${first?.key} --also-unlabelled, or ${torc} jobs run ${workflowKey}`;
    return `without labels, while the workers of every Slurm config take only jobs with labels: ${command}`;
  }
  const [nearest] = configs
    .map((config) => ({ ...config, missing: missingLabels(config.pool, job) }))
    .toSorted((a, b) => a.missing.length - b.missing.length);
  const all = labelWords(labelsIn(job.labels));
  const lacks = nearest === undefined ? '' : `; ${cellText(nearest.name)} lacks ${labelWords(nearest.missing)}`;
  return `with labels that no Slurm config gives its workers, ${all}${lacks}: ${torc} hpc slurm list-configs`;
}
