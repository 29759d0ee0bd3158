/** `torc hpc slurm recommend-nodes`: how many nodes the waiting jobs of a workflow need. */
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { jobsOfWorkflow } from '../input/planned-jobs.ts';
import { currentSite } from '../input/site.ts';
import { chooseConfig } from '../input/slurm-config.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { minimumText } from '../output/minimum-text.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { type NodePlan, nodePlan } from '../plans/node-plan.ts';
import { planOptions } from './slurm-plan.ts';

export interface RecommendOptions {
  /** Of nodes that are not looked up. */
  cpus?: number;
  memoryBytes?: number;
  schedulerKey?: string;
  maxNodes?: number;
}

export async function recommendNodes(context: Context, options: RecommendOptions): Promise<void> {
  const plan = await withConnection(context, async ({ api }) => {
    const key = await chooseWorkflow(context, api, null, 'reads');
    const config =
      options.schedulerKey === undefined ? null : await chooseConfig(context, api, options.schedulerKey, key);
    const isStated = options.cpus !== undefined || options.memoryBytes !== undefined;
    const site = isStated ? statedNodes(options) : await currentSite(context, api);
    const partition = isStated || config?.partition == null ? null : String(config.partition);
    const maxWalltimeMs = config === null ? null : Number(config.walltime_seconds) * 1000;
    const caps = planOptions(options.maxNodes === undefined ? {} : { maxNodes: options.maxNodes });
    return nodePlan(await jobsOfWorkflow(api, key), site, { ...caps, partition, maxWalltimeMs });
  });
  await printResult(context, plan, () => text(context, plan));
}

function text({ torc }: Context, plan: NodePlan): string {
  const misfits = plan.misfits.map((each) => `not planned: ${cellText(each.first_job)}: ${each.text}\n`).join('');
  if (plan.allocations.length === 0) return `${misfits}no nodes: no waiting job could use them\n`;
  const lines = plan.allocations.map((each) => {
    const least = minimumText(each.minimum);
    const size = least === null ? '' : ` with ${least}`;
    const what = `${counted(each.num_allocations, 'allocation')} of ${counted(each.num_nodes, 'node')}${size}`;
    const when = each.starts === 'workflow_start' ? 'now' : `when stage ${each.stages[0]} is ready`;
    return `${what} for ${formatWalltime(each.walltime_seconds)}, ${when}: ${counted(each.num_jobs, 'job')}, up to ${each.jobs_at_once} at once on each\n`;
  });
  const now = plan.allocations.filter(({ starts }) => starts === 'workflow_start');
  const count = now.reduce((sum, each) => sum + each.num_allocations, 0);
  const command = count === 0 ? '' : `  ${torc} -k ${plan.workflow_key} hpc slurm schedule-nodes -n ${count}\n`;
  const sums = `${plan.node_hours} node-hours, ends after ${formatDuration(plan.end_seconds)}\n`;
  return `${lines.join('')}${sums}${misfits}${command}`;
}

/** As many nodes as help, with what was typed; without an amount of memory, that does not matter. */
function statedNodes({ cpus, memoryBytes }: RecommendOptions): SiteProfile {
  const most = 100_000;
  const kind = {
    ...{ num_nodes: most, num_usable: most, num_idle: most },
    ...{ sockets: null, cores_per_socket: null, threads_per_core: null, gpus: [] },
    num_cpus: cpus ?? 1_000_000,
    memory_bytes: memoryBytes ?? 2 ** 50,
  };
  const limits = { max_time_seconds: null, default_time_seconds: null, max_nodes: null, min_nodes: 0 };
  const others = { max_cpus_per_node: null, max_memory_bytes_per_node: null, gives_whole_nodes: true, qos: null };
  const partition = { name: 'nodes', is_default: true, is_up: true, ...limits, ...others, nodes: [kind] };
  return {
    cluster: 'as typed',
    slurm_version: null,
    partitions: [{ ...partition, allowed_qos: null, allowed_accounts: null }],
  };
}
