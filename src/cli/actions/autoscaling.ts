/** `torc workflows autoscale`: sets the autoscaler of a workflow; says what it does now, and why. */
import type { Api, Reply, Request } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { parseDuration, parseWalltime } from '../../base/units.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chosenOutput } from '../input/output-directory.ts';
import { chooseConfig } from '../input/slurm-config.ts';
import { requireSbatch } from '../input/submission.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { scalingStateText, settingsText } from '../output/autoscaler-text.ts';
import { minimumText } from '../output/minimum-text.ts';
import { printResult } from '../output/output.ts';

export interface AutoscaleOptions {
  max?: number;
  min?: number;
  maxQueued?: number;
  /** As typed. */
  idle?: string;
  walltime?: string;
  config?: string;
  nodesPerAllocation?: number;
  maxParallelJobs?: number;
  chain?: boolean;
  output?: string;
  off?: boolean;
  dryRun?: boolean;
}

type Settings = NonNullable<Request<'workflow_autoscale'>['settings']>;

export async function autoscale(context: Context, key: string | null, options: AutoscaleOptions): Promise<void> {
  const { off = false, dryRun = false, ...others } = options;
  if (!off && !dryRun) requireSbatch(context);
  const { reply, isRemote } = await withConnection(
    context,
    async ({ api, kind }) => {
      const workflowKey = await chooseWorkflow(context, api, key);
      const settings = off ? null : await settingsFor(context, api, workflowKey, others);
      const request = { workflow_key: workflowKey, dry_run: dryRun, settings };
      return { reply: await api.call('workflow_autoscale', request), isRemote: kind === 'remote' };
    },
    { leavesServer: true },
  );
  if (!off && !dryRun && !isRemote) await startOwnServer(context);
  await printResult(context, reply, () => autoscaleText(context, reply));
}

/** The output directory of an autoscaler that is there stays, unless another one is named. */
async function settingsFor(
  context: Context,
  api: Api,
  workflowKey: string,
  { walltime, config, idle, output, ...rest }: Omit<AutoscaleOptions, 'off' | 'dryRun'>,
): Promise<Settings> {
  const known = (await api.call('workflow_show', { workflow_key: workflowKey })).autoscaler;
  const isNamed = output !== undefined || known === null;
  return {
    ...(rest.min === undefined ? {} : { min_nodes: rest.min }),
    ...(rest.max === undefined ? {} : { max_nodes: rest.max }),
    ...(rest.maxQueued === undefined ? {} : { max_queued: rest.maxQueued }),
    ...(idle === undefined ? {} : { idle_seconds: Math.round(parseDuration(idle)) }),
    ...(walltime === undefined ? {} : { walltime_seconds: walltime === 'auto' ? null : parseWalltime(walltime) }),
    ...(config === undefined ? {} : { slurm_config_key: await configKey(context, api, workflowKey, config) }),
    ...(rest.nodesPerAllocation === undefined ? {} : { nodes_per_allocation: rest.nodesPerAllocation }),
    ...(rest.maxParallelJobs === undefined ? {} : { max_parallel_jobs: rest.maxParallelJobs }),
    ...(rest.chain === undefined ? {} : { is_chain: rest.chain }),
    ...(isNamed ? { output_directory: chosenOutput(context, output) } : {}),
  };
}

async function configKey(context: Context, api: Api, workflowKey: string, word: string): Promise<string | null> {
  if (word === 'any') return null;
  return String((await chooseConfig(context, api, word, workflowKey)).slurm_config_key);
}

/** What is set, what happens now, and what to type next. */
export function autoscaleText({ torc }: Pick<Context, 'torc'>, reply: Reply<'workflow_autoscale'>): string {
  const { workflow_key: key, dry_run, autoscaler, allocations, queued_slurm_job_ids: ids } = reply;
  const dry = dry_run ? 'dry run: ' : '';
  if (autoscaler === null) {
    const left = ids.length === 0 ? '' : `still queued:  scancel ${ids.join(' ')}\n`;
    return `${dry}workflow ${key} ${dry_run ? 'would ask' : 'asks'} for no more nodes\n${left}`;
  }
  const would = dry_run ? 'would ' : '';
  const lines = allocations.map(
    ({ action, name, num_nodes, walltime_seconds, slurm_config, slurm_job_id, minimum }) => {
      const place = slurm_config === null ? '' : `, Slurm config ${slurm_config}`;
      const least = minimumText(minimum);
      const size = least === null ? '' : ` with ${least}`;
      const what = `${counted(num_nodes, 'node')}${size}, ${formatWalltime(walltime_seconds)}${place}`;
      return `  ${action}  ${slurm_job_id ?? name}  (${what})\n`;
    },
  );
  const next = dry_run ? '' : `  follow:  ${torc} watch ${key}\n           ${torc} workflows show-status ${key}\n`;
  return `${dry}workflow ${key} ${would === '' ? 'asks' : 'would ask'} for nodes by itself: ${settingsText(autoscaler)}
now: ${scalingStateText(autoscaler)}
${lines.join('')}${next}`;
}
