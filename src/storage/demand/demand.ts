/** The demand: which jobs wait and why, by shape. One query for everything that plans with it. */
import type { Request } from '../../api/contract.ts';
import type { DemandReply, DemandRow } from '../../api/demand.ts';
import { limits } from '../../api/limits.ts';
import { noLimits } from '../../model/decide/concurrency.ts';
import { lastingObstacles, reasonsOf, type Situation } from '../../model/decide/demand.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { sizeOf } from '../../model/decide/size.ts';
import { packedMs } from '../../model/job.ts';
import { noLabels } from '../../model/labels.ts';
import { amountsIn, noResources } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { findShape } from '../running/shapes.ts';
import { getWorkflow } from '../running/workflows.ts';
import { readSituation } from './situation.ts';
import { type WaitingGroup, waitingGroups } from './waiting.ts';

/** `isServed`: whether this process answers workers. */
export interface DemandFacts {
  isServed: boolean;
  usualRuntime: UsualRuntime;
}

/** Of one workflow (TorcError 'not_found'), or of all that are not archived; the largest groups of each first. */
export function readDemand(
  tx: Transaction,
  { workflow_key, only_obstacles = false }: Request<'demand'>,
  facts: DemandFacts,
): DemandReply {
  const workflowKey = workflow_key === null ? null : Number(workflow_key);
  const keys = workflowKey === null ? workflowsWithWaiting(tx) : [getWorkflow(tx, workflowKey).workflowKey];
  const rows = keys.flatMap((key) => demandOf(tx, key, facts, only_obstacles));
  return { demand: rows.slice(0, limits.listPage), more: rows.length > limits.listPage };
}

function workflowsWithWaiting(tx: Transaction): number[] {
  return tx.db
    .all<{ key: number }>(
      `SELECT workflow_key AS key FROM workflows w
       WHERE phase NOT IN ('creating', 'deleting') AND is_archived = 0 AND EXISTS (SELECT 1 FROM job_counts c
         WHERE c.workflow_key = w.workflow_key AND c.n > 0 AND c.status IN ('uninitialized', 'blocked', 'ready'))
       ORDER BY workflow_key`,
    )
    .map(({ key }) => key);
}

function demandOf(tx: Transaction, workflowKey: number, facts: DemandFacts, onlyObstacles: boolean): DemandRow[] {
  const situation = readSituation(tx, workflowKey, facts.isServed);
  const groups = waitingGroups(tx, workflowKey, onlyObstacles ? shapesWithObstacles(tx, workflowKey, situation) : null);
  return groups
    .toSorted((a, b) => b.numJobs - a.numJobs)
    .map((group) => demandRow(tx, workflowKey, { group, situation, usualRuntime: facts.usualRuntime }));
}

/** The shapes of a workflow that no worker it knows of can take. */
function shapesWithObstacles(tx: Transaction, workflowKey: number, situation: Situation): number[] {
  return tx.db
    .column<number>('SELECT shape_key FROM shapes WHERE workflow_key = ?', workflowKey)
    .filter((shapeKey) => lastingObstacles(findShape(tx, shapeKey), situation).length > 0);
}

interface Group {
  group: WaitingGroup;
  situation: Situation;
  usualRuntime: UsualRuntime;
}

function demandRow(tx: Transaction, workflowKey: number, { group, situation, usualRuntime }: Group): DemandRow {
  const { need, slurmConfigKey, labels, supportsTermination, limits } = findShape(tx, group.shapeKey);
  const isRestricted = slurmConfigKey !== anyConfig;
  const expectedMs = usualRuntime(group.shapeKey);
  const upstreams = group.hasUpstreams ? { total: null, first: [] } : null;
  return {
    workflow_key: String(workflowKey),
    status: group.status,
    num_jobs: group.numJobs,
    ...sizeOf(need),
    resources: amountsIn(need.resources ?? noResources),
    runtime_seconds: need.isRuntimeStated || need.expectedMs !== undefined ? packedMs(need) / 1000 : null,
    expected_runtime_seconds: expectedMs === null ? null : expectedMs / 1000,
    supports_termination: supportsTermination,
    slurm_config_key: isRestricted ? String(slurmConfigKey) : null,
    slurm_config: situation.configs.find(({ key }) => key === slurmConfigKey)?.name ?? null,
    labels: labels === noLabels ? null : labels,
    limits: limits === noLimits ? null : limits,
    reasons: reasonsOf({ ...group, need, slurmConfigKey, labels, supportsTermination, limits, upstreams }, situation),
  };
}
