/** `torc workflows start|cancel|delete`: each prints the plan that it applies, or with `--dry-run` would apply. */
import type { Api, Reply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { asksForNodes, needsServer, startOwnServer } from '../connection/action-server.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { askToDelete } from '../input/ask.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow, chooseWorkflows } from '../input/workflow-key.ts';
import { noteUnfit } from '../output/obstacles.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { type PlanOptions, shown } from '../plans/apply.ts';
import { askAboutWorkflows } from '../plans/chosen-workflows.ts';
import { noteSharedOutputs } from '../plans/file-warnings.ts';
import type { PlannedAllocation } from '../plans/output.ts';
import { changesText, nextCommands } from '../plans/output.ts';
import { deliverStops } from '../workers/stop-delivery.ts';

export interface DeleteOptions extends PlanOptions {
  force?: boolean;
  yes?: boolean;
}

export interface StartOptions extends PlanOptions {
  ignoreMissingData?: boolean;
}

export async function startWorkflow(context: Context, key: string | null, options: StartOptions): Promise<void> {
  const isServerMissing = await withConnection(context, async (connection) => {
    const workflowKey = await chooseWorkflow(context, connection.api, key);
    const started = await startStored(context, connection, workflowKey, options);
    const { plan, startsServer } = started;
    await printResult(context, { ...plan, starts_server: startsServer }, () => startText(context, started));
    return startsServer && !plan.dry_run;
  });
  if (isServerMissing) await startOwnServer(context);
}

export interface Started {
  plan: Reply<'workflow_start'>;
  /** Whether a server must start once the connection is closed. */
  startsServer: boolean;
  isAutoscaled: boolean;
}

/** Starts a stored workflow, or plans that, and says what a person should know about it. */
export async function startStored(
  context: Context,
  connection: Connection,
  workflowKey: string,
  options: StartOptions,
): Promise<Started> {
  const { api } = connection;
  const dryRun = options.dryRun ?? false;
  const { ignoreMissingData: ignore_missing_data = false } = options;
  const request = { workflow_key: workflowKey, dry_run: dryRun, ignore_missing_data };
  const plan = await shown(context, `starting workflow ${workflowKey}`, api.call('workflow_start', request));
  await noteUnfit(context, api, workflowKey);
  noteSharedOutputs(context, plan);
  const isAutoscaled = await asksForNodes(api, workflowKey);
  return { plan, startsServer: await needsServer(connection, workflowKey, dryRun), isAutoscaled };
}

export function startText(context: Context, { plan, startsServer, isAutoscaled }: Started): string {
  const jobs = `${counted(plan.num_ready, 'job')} ready, ${plan.num_blocked} blocked`;
  if (plan.dry_run) {
    return `${changesText(context, plan)}dry run: workflow ${plan.workflow_key} would start run ${plan.run_id} with ${jobs}${startsServer ? ', and a server for it on this host' : ''}\n`;
  }
  return `started run ${plan.run_id} of workflow ${plan.workflow_key}: ${jobs}\n${nextCommands(context, plan.workflow_key, isAutoscaled ? 'follow' : 'run')}`;
}

export async function cancelWorkflows(context: Context, words: readonly string[], options: PlanOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const chosen = await chooseWorkflows(context, connection.api, words);
    await askAboutWorkflows(context, connection.api, chosen, 'cancel', options);
    const canceled: Canceled[] = [];
    const kept: KeptWorkflow[] = [];
    for (const key of chosen.keys) {
      try {
        canceled.push(await cancelWorkflow(context, connection, key, options));
      } catch (error) {
        // of several, one may end while a person types
        const isAlone = chosen.keys.length === 1;
        if (!(error instanceof TorcError) || error.code !== 'conflict' || isAlone) throw error;
        kept.push({ workflow_key: key, reason: error.message });
      }
    }
    if (canceled.length === 0) {
      const reasons = kept.map(({ reason }) => reason).join('; ');
      throw new TorcError('conflict', reasons, `${context.torc} workflows list`);
    }
    const failures = canceled.flatMap(({ failure }) => failure ?? []);
    // an error is all that one workflow prints
    if (failures.length === 0 || chosen.keys.length > 1) await printEach(context, canceled, kept);
    if (failures.length > 0) throw scancelError(failures);
  });
}

/** Allocations that Slurm did not cancel, and what it said. */
interface ScancelFailure {
  workflowKey: string;
  slurmJobIds: readonly string[];
  reason: string;
  hint: string | null;
}

function scancelError(failures: readonly ScancelFailure[]): TorcError {
  const texts = failures.map(
    ({ workflowKey, reason }) => `workflow ${workflowKey} is canceled, but its allocations are not: ${reason}`,
  );
  const ids = failures.flatMap(({ slurmJobIds }) => slurmJobIds);
  const hint = failures.length === 1 ? (failures[0]?.hint ?? null) : null;
  return new TorcError('slurm', texts.join('; '), hint ?? `scancel ${ids.join(' ')}`);
}

/** One of several workflows that stays as it is, and why. */
interface KeptWorkflow {
  workflow_key: string;
  reason: string;
}

interface Canceled {
  value: object;
  text: string;
  failure?: ScancelFailure | null;
}

/** What was done to one workflow is a value of its own; what was done to several is a list. */
async function printEach(context: Context, done: readonly Canceled[], kept?: readonly KeptWorkflow[]): Promise<void> {
  const [only, ...others] = done;
  const isOne = only !== undefined && others.length === 0 && (kept ?? []).length === 0;
  const value = isOne ? only.value : { plans: done.map((each) => each.value), ...(kept === undefined ? {} : { kept }) };
  const lines = (kept ?? []).map(({ workflow_key, reason }) => `workflow ${workflow_key} is unchanged: ${reason}\n`);
  await printResult(context, value, () => [...done.map(({ text }) => text), ...lines].join(''));
}

async function cancelWorkflow(
  context: Context,
  connection: Connection,
  workflowKey: string,
  options: PlanOptions,
): Promise<Canceled> {
  const { api } = connection;
  const request = { workflow_key: workflowKey, dry_run: options.dryRun ?? false };
  const plan = await shown(context, `canceling workflow ${workflowKey}`, api.call('workflow_cancel', request));
  const allocations = await plannedCancels(api, workflowKey, plan.slurm_job_ids);
  const failure = plan.dry_run ? null : await cancelAllocations(workflowKey, plan.slurm_job_ids);
  const isServed = connection.kind === 'remote';
  const jobsLeft = async () => (await api.call('workflow_show', { workflow_key: workflowKey })).num_running;
  const numLeft = plan.dry_run || plan.num_stopping === 0 ? 0 : await deliverStops(context, connection, jobsLeft);
  const text = cancelText(context, plan, isServed ? null : numLeft, failure !== null);
  return { value: { ...plan, allocations }, text, failure };
}

async function plannedCancels(api: Api, workflowKey: string, ids: readonly string[]): Promise<PlannedAllocation[]> {
  if (ids.length === 0) return [];
  const names = new Map<unknown, string>();
  for await (const records of listPages(api, 'allocations', workflowKey, { filter: [], excludeColumn: [] })) {
    for (const record of records) names.set(record.slurm_job_id, String(record.name));
  }
  return ids.map((id) => ({ action: 'cancel', name: names.get(id) ?? null, script: null, slurm_job_id: id }));
}

/** Null when Slurm has canceled them: its failure keeps no job from being stopped, and no other workflow. */
async function cancelAllocations(workflowKey: string, ids: readonly string[]): Promise<ScancelFailure | null> {
  if (ids.length === 0) return null;
  const { systemSlurm } = await import('../../slurm/commands.ts');
  const answer = await systemSlurm().scancel(ids);
  return answer.kind === 'ok' ? null : { workflowKey, slurmJobIds: ids, reason: answer.reason, hint: answer.hint };
}

/** `numLeft`: how many jobs still run after this process has served; null where another one serves. */
function cancelText(
  context: Context,
  plan: Reply<'workflow_cancel'>,
  numLeft: number | null,
  hasFailed: boolean,
): string {
  const ids = plan.slurm_job_ids;
  const slurm =
    ids.length === 0
      ? ''
      : `, Slurm jobs ${plan.dry_run ? 'to cancel' : hasFailed ? 'not canceled' : 'canceled'}: ${ids.join(' ')}`;
  const { num_stopping: numStopping, workflow_key: key } = plan;
  const stopped = numStopping === 0 ? '' : ` (${counted(numStopping, 'running job')} ${stopWords(plan, numLeft)})`;
  const what = `${counted(plan.num_changes, 'job')} canceled${stopped}${slurm}`;
  if (plan.dry_run) return `${changesText(context, plan)}dry run: workflow ${key} would have ${what}\n`;
  const watch =
    numStopping === 0 || numLeft === 0
      ? ''
      : `still running:  ${context.torc} -k ${key} jobs list -f status=submitted\n`;
  return `canceled workflow ${key}: ${what}\n${watch}`;
}

function stopWords({ dry_run, num_stopping: count }: Reply<'workflow_cancel'>, numLeft: number | null): string {
  if (dry_run) return 'would be stopped';
  if (numLeft === null) return count === 1 ? 'is being stopped' : 'are being stopped';
  if (numLeft === 0) return count === 1 ? 'was stopped' : 'were stopped';
  return `to stop, of which ${numLeft} still ${numLeft === 1 ? 'runs' : 'run'}: no server is running`;
}

export async function deleteWorkflows(
  context: Context,
  words: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const { keys } = await chooseWorkflows(context, api, words);
    const plans: { key: string; what: string; plan: Reply<'workflow_delete'> }[] = [];
    // all are checked before the first one is deleted
    for (const key of keys) {
      const workflow = await api.call('workflow_show', { workflow_key: key });
      const plan = await api.call('workflow_delete', { workflow_key: key, dry_run: true });
      const what = `workflow ${key} (${cellText(workflow.name)}) with ${counted(plan.num_jobs, 'job')} and ${counted(plan.num_results, 'result')}`;
      plans.push({ key, what, plan });
    }
    if (options.dryRun === true) {
      const told = plans.map(({ plan, what }) => ({ value: plan, text: `dry run: ${what} would be deleted\n` }));
      return printEach(context, told);
    }
    if (options.force !== true && options.yes !== true && !context.isNoPrompts) {
      const [first, ...others] = plans;
      if (others.length > 0) context.terminal.err(plans.map(({ what }) => `${what}\n`).join(''));
      const what = others.length === 0 ? String(first?.what) : counted(plans.length, 'workflow');
      await askToDelete(context, what, `workflows delete ${keys.join(' ')} --yes`);
    }
    const deleted: Canceled[] = [];
    for (const { key, what } of plans) {
      const request = { workflow_key: key, dry_run: false };
      const value = await shown(context, `deleting workflow ${key}`, api.call('workflow_delete', request));
      deleted.push({ value, text: `deleted ${what}\n` });
    }
    await printEach(context, deleted);
  });
}
