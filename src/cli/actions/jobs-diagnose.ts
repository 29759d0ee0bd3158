/** `torc jobs diagnose`: why claimed jobs have no result. */

import type { Api, DiagnosedJob } from '../../api/contract.ts';
import { jsonText } from '../../base/exact-json.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chosenJobKeys } from '../input/chosen-jobs.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { cellText } from '../output/table.ts';
import { diagnosisText, printCsv } from '../plans/output.ts';
import { hasRunningJobs } from './workflows-restart.ts';

/** At most this many jobs without a diagnosis are shown. */
const shownOthers = 20;

const identity = ['job_key', 'job_name', 'status', 'run_id', 'attempt_id'] as const;

export async function diagnoseJobs(context: Context, keys: readonly string[]): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const chosen = keys.length === 0 ? null : await chosenJobKeys(context, api, keys, 'reads');
    const workflowKey = chosen?.workflowKey ?? (await chooseWorkflow(context, api, null, 'reads'));
    const jobKeys = chosen?.keys ?? null;
    const { jobs } = await api.call('jobs_diagnose', { workflow_key: workflowKey, job_keys: jobKeys });
    if (context.format === 'json') await context.terminal.out(`${jsonText({ jobs })}\n`);
    else if (context.format === 'csv') await printCsv(context, csvFields, jobs.map(flat));
    else await context.terminal.out(await jobsText(context, api, workflowKey, jobs, jobKeys ?? []), 'colors');
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

async function jobsText(
  context: Context,
  api: Api,
  workflowKey: string,
  jobs: readonly DiagnosedJob[],
  asked: readonly string[],
): Promise<string> {
  const isDiagnosed = new Set(jobs.map((job) => job.job_key));
  const others = asked.filter((key) => !isDiagnosed.has(key));
  const standing = others.length === 0 ? '' : await standingText(context, api, workflowKey, others);
  if (jobs.length === 0) return standing || `No lost jobs in workflow ${workflowKey}.\n`;
  const blocks = jobs.map((job) => diagnosisText(context, job, job.diagnosis));
  return `${blocks.join('')}${standing}${await restartHint(context, api, workflowKey, jobs)}`;
}

/** Suggests a dry run of a restart when jobs are lost; running jobs need an option. */
async function restartHint(context: Context, api: Api, workflowKey: string, jobs: readonly DiagnosedJob[]) {
  if (jobs.every(({ diagnosis }) => diagnosis.process !== 'gone')) return '';
  const isAnyLeft =
    jobs.some(({ diagnosis }) => diagnosis.process !== 'gone') || (await hasRunningJobs(api, workflowKey));
  const kept = isAnyLeft ? ' --keep-running' : '';
  return `\nto see what a restart would do: ${context.torc} workflows restart ${workflowKey}${kept} --dry-run\n`;
}

/** The status of requested jobs that no worker is running. */
async function standingText(context: Context, api: Api, workflowKey: string, keys: readonly string[]): Promise<string> {
  const { records } = await api.call('list', {
    list: 'jobs',
    workflow_key: workflowKey,
    filters: [{ column: 'job_key', value: keys.slice(0, shownOthers).join(',') }],
    sort_by: null,
    reverse: false,
    limit: shownOthers,
    skip: 0,
  });
  const lines = records.map(({ job_key, name, status, return_code }) => {
    const code = return_code === null ? '' : ` with return code ${return_code}`;
    return `job ${job_key} (${cellText(name)}) is ${status}${code}: ${context.torc} jobs show ${job_key}\n`;
  });
  const left = keys.length - records.length;
  return `${lines.join('')}${left > 0 ? `.. and ${left} more that no worker is running\n` : ''}`;
}
