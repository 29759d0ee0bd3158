/** `torc jobs add|delete|assign-resource-requirements`. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { askToDelete } from '../input/ask.ts';
import { type AttributeOptions, givenAttributes } from '../input/attributes.ts';
import { chosenJobKeys } from '../input/chosen-jobs.ts';
import { type EnvironmentOptions, givenEnvironment } from '../input/environment.ts';
import { findByNameOrKey } from '../input/name-or-key.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult, textTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { askAboutPattern } from '../plans/chosen-jobs.ts';

export interface AddJobOptions extends AttributeOptions, EnvironmentOptions {
  command: string;
  invocationScript?: string;
  resourceRequirements?: string;
  scheduler?: string;
  labels?: string[];
  limits?: string[];
  failureHandler?: string;
  priority?: number;
  supportsTermination?: boolean;
  taskFailureIsSuccess?: boolean;
  hold?: boolean;
  maxWait?: number;
  /** False when the job runs even if jobs that it depends on fail. */
  cancelOnBlockingJobFailure: boolean;
  dependsOn: readonly string[];
  inputFile: readonly string[];
  outputFile: readonly string[];
  inputUserData: readonly string[];
  outputUserData: readonly string[];
}

export interface DeleteJobsOptions {
  cascade?: boolean;
  force?: boolean;
  yes?: boolean;
  dryRun?: boolean;
}

export async function addJob(context: Context, name: string, options: AddJobOptions): Promise<void> {
  for (const [what, value] of Object.entries({ 'the name': name, '--command': options.command })) {
    if (value.trim() === '') throw new TorcError('usage', `${what} is empty`, 'Every job has a name and a command.');
  }
  const job = {
    name,
    command: options.command,
    invocation_script: options.invocationScript ?? null,
    resource_requirements: options.resourceRequirements ?? null,
    scheduler: options.scheduler ?? null,
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    failure_handler: options.failureHandler ?? null,
    priority: options.priority ?? 0,
    cancel_on_blocking_job_failure: options.cancelOnBlockingJobFailure,
    supports_termination: options.supportsTermination ?? false,
    task_failure_is_success: options.taskFailureIsSuccess ?? false,
    ...(options.hold === true ? { hold: true } : {}),
    ...(options.maxWait === undefined ? {} : { max_wait_ms: Math.max(1, Math.round(options.maxWait * 1000)) }),
    ...givenAttributes(options),
    ...(options.env === undefined ? {} : { env: givenEnvironment(context, options) }),
    depends_on: [...options.dependsOn],
    input_files: [...options.inputFile],
    output_files: [...options.outputFile],
    input_user_data: [...options.inputUserData],
    output_user_data: [...options.outputUserData],
  };
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, null);
    const { jobs } = await api.call('jobs_add', { workflow_key, jobs: [job] });
    const [added] = jobs;
    if (added === undefined) throw new TorcError('bug', 'the server did not add the job');
    await printResult(context, { workflow_key, ...added }, () => {
      const what = `job ${added.job_key} (${cellText(name)})`;
      return added.is_new
        ? `added ${what} to workflow ${workflow_key}: it is ${added.status}\n`
        : `${what} of workflow ${workflow_key} has the same definition: it is ${added.status}\n`;
    });
  });
}

export async function deleteJobs(context: Context, keys: readonly string[], options: DeleteJobsOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const { keys: job_keys } = await chosenJobKeys(context, api, keys);
    const request = { job_keys, cascade: options.cascade === true };
    const plan = await api.call('jobs_delete', { ...request, dry_run: true });
    const what = `${counted(plan.num_jobs, 'job')} of workflow ${plan.workflow_key}`;
    const table = textTable(context, ['job_key', 'name'], plan.jobs);
    if (options.dryRun === true) {
      await printResult(context, plan, () => `${table}dry run: ${what} would be deleted\n`);
      return;
    }
    if (options.force !== true && options.yes !== true && !context.isNoPrompts) {
      context.terminal.err(context.format === 'json' ? '' : table);
      const cascade = request.cascade ? ' --cascade' : '';
      await askToDelete(context, what, `jobs delete ${job_keys.join(' ')}${cascade} --force`);
    }
    const deleted = await api.call('jobs_delete', { ...request, dry_run: false });
    await printResult(context, deleted, () => `${table}deleted ${what}\n`);
  });
}

export async function assignRequirements(
  context: Context,
  nameOrKey: string,
  words: readonly string[],
  options: { yes?: boolean },
): Promise<void> {
  const reply = await withConnection(context, async ({ api }) => {
    const { workflowKey, keys: job_keys, patterns } = await chosenJobKeys(context, api, words);
    const found = await findByNameOrKey(context, api, 'resource_requirements', workflowKey, nameOrKey);
    const resource_requirements_key = String(found.resource_requirements_key);
    if (patterns.length > 0 && options.yes !== true && !context.isNoPrompts) {
      await askAboutPattern(context, patterns, `change ${counted(job_keys.length, 'job')} of workflow ${workflowKey}`);
    }
    return api.call('resource_requirements_assign', { resource_requirements_key, job_keys });
  });
  await printResult(context, reply, () => {
    return `${counted(reply.num_jobs, 'job')} now ${reply.num_jobs === 1 ? 'has' : 'have'} resource requirements ${cellText(reply.name)}\n`;
  });
}
