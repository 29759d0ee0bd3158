/** `torc jobs diagnose`: why claimed jobs have no result. */
import type { DiagnosedJob } from '../../api/contract.ts';
import { workflowOfJobs } from '../apply-plan.ts';
import type { Context } from '../context.ts';
import { diagnosisText, printCsv } from '../plan-output.ts';
import { withConnection } from '../session.ts';
import { chooseWorkflow } from '../workflow-key.ts';
import { distinctKeys } from './jobs-reset.ts';

const identity = ['job_key', 'job_name', 'status', 'run_id', 'attempt_id'] as const;

export async function diagnoseJobs(context: Context, keys: readonly string[]): Promise<void> {
  const jobKeys = keys.length === 0 ? null : distinctKeys(keys);
  await withConnection(context, async ({ api }) => {
    const workflowKey =
      jobKeys === null ? await chooseWorkflow(context, api, null) : await workflowOfJobs(context, api, jobKeys);
    const { jobs } = await api.call('jobs_diagnose', { workflow_key: workflowKey, job_keys: jobKeys });
    if (context.format === 'json') await context.terminal.out(`${JSON.stringify({ jobs })}\n`);
    else if (context.format === 'csv') await printCsv(context, csvFields, jobs.map(flat));
    else await context.terminal.out(jobsText(context, workflowKey, jobs));
  });
}

const diagnosisFields = [
  'cause',
  'process',
  'slurm_job_id',
  'slurm_state',
  'slurm_reason',
  'hostname',
  'compute_node_key',
  'last_heartbeat',
  'peak_memory_bytes',
  'requested_memory_bytes',
  'node_memory_bytes',
  'role',
  'culprit_job_key',
  'suggested_memory_bytes',
  'explanation',
] as const;
const csvFields = [...identity, ...diagnosisFields];

function flat({ diagnosis, ...job }: DiagnosedJob) {
  return { ...job, ...diagnosis };
}

function jobsText(context: Context, workflowKey: string, jobs: readonly DiagnosedJob[]): string {
  if (jobs.length === 0) return `no job of workflow ${workflowKey} is claimed without a result\n`;
  const blocks = jobs.map((job) => diagnosisText(context, job, job.diagnosis));
  return `${blocks.join('')}\nwhat a restart would do: ${context.torc} workflows restart ${workflowKey} --dry-run\n`;
}
