/** `torc recover`: failed and lost jobs run again, with more where they ran out of it, and get their nodes: one plan. */
import type { Api, Recovered, RestartPlan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { defaultFactor, failureWords } from '../../model/decide/recovery.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { ask, confirm } from '../input/ask.ts';
import { readFactor } from '../input/recovery-options.ts';
import { requireSbatch } from '../input/submission.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import type { PlanOptions, PlanRequest } from '../plans/apply.ts';
import { planAndApply } from '../plans/apply.ts';
import { noteLostFiles } from '../plans/file-warnings.ts';
import { printPlan } from '../plans/output.ts';
import { groupsText, nodesText } from '../plans/recovery-output.ts';
import type { PlannedSubmission } from '../workers/allocation-plan.ts';
import { planRecoveryNodes, submitRecoveryNodes } from './recover-nodes.ts';
import { exitCodeOf, restartRequest, restartText } from './workflows-restart.ts';

export interface RecoverOptions extends PlanOptions {
  memoryMultiplier?: number;
  runtimeMultiplier?: number;
  retryUnknown?: boolean;
  ignoreMissingData?: boolean;
  keepRunning?: boolean;
  force?: boolean;
}

type Choice = NonNullable<PlanRequest<'workflow_restart'>['recover']>;

/** The exit code: 7 when there is nothing left to run. */
export async function recoverWorkflow(context: Context, key: string | null, options: RecoverOptions): Promise<number> {
  const choice = choiceOf(options);
  const planned = await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, key);
    const plan = await planRecovery(context, api, workflowKey, options, choice, true);
    return { plan, allocations: await planRecoveryNodes(context, api, plan) };
  });
  if (options.dryRun === true) {
    await printRecovery(context, planned.plan, planned.allocations, false);
    return exitCodeOf(planned.plan);
  }
  const asks = context.mayAsk && context.format === 'text' && options.yes !== true;
  const agreed = asks ? await askFor(context, planned.plan, options, choice) : { plan: planned.plan, choice };
  if ((agreed.plan.recovered?.nodes.length ?? 0) > 0) requireSbatch(context);
  const workflowKey = agreed.plan.workflow_key;
  const applied = await withConnection(context, async (connection) => {
    const state = asks ? agreed.plan.state : null;
    const plan = await planRecovery(context, connection.api, workflowKey, options, agreed.choice, false, state);
    return { plan, isServerMissing: await needsServer(connection, workflowKey, false) };
  });
  if (applied.isServerMissing) await startOwnServer(context);
  const allocations = await submitRecoveryNodes(context, applied.plan);
  await printRecovery(context, applied.plan, allocations, asks);
  return exitCodeOf(applied.plan);
}

function choiceOf({ memoryMultiplier, runtimeMultiplier, retryUnknown }: RecoverOptions): Choice {
  return {
    memory_factor: memoryMultiplier ?? defaultFactor,
    runtime_factor: runtimeMultiplier ?? defaultFactor,
    retry_unknown: retryUnknown ?? false,
  };
}

/** The plan, applied unless `dryRun`; with `state` only if it is still the plan that was made from it. */
async function planRecovery(
  context: Context,
  api: Api,
  workflowKey: string,
  options: RecoverOptions,
  choice: Choice,
  dryRun: boolean,
  state: string | null = null,
): Promise<RestartPlan> {
  const request = { ...restartRequest(workflowKey, options), recover: choice };
  const plan =
    state === null
      ? await planAndApply(context, api, 'workflow_restart', request, dryRun)
      : await api.call('workflow_restart', { ...request, dry_run: dryRun, expected_state: state, skip: 0 });
  if (dryRun === (options.dryRun ?? false)) noteLostFiles(context, plan);
  return plan;
}

/** Asks about each kind of failure, shows the plan and asks once more. Throws 'interrupted' unless the answer is yes. */
async function askFor(
  context: Context,
  first: RestartPlan,
  options: RecoverOptions,
  choice: Choice,
): Promise<{ plan: RestartPlan; choice: Choice }> {
  const { workflow_key: key, recovered } = first;
  const answered = { ...choice };
  for (const group of recovered?.groups ?? []) {
    if (group.kind === 'memory' && options.memoryMultiplier === undefined)
      answered.memory_factor = await askFactor(context, group, choice.memory_factor);
    if (group.kind === 'runtime' && options.runtimeMultiplier === undefined)
      answered.runtime_factor = await askFactor(context, group, choice.runtime_factor);
    if (group.kind === 'other' && options.retryUnknown === undefined)
      answered.retry_unknown = await confirm(
        context,
        `${failureWords(group.kind, group.num_jobs)}. Run ${group.num_jobs === 1 ? 'it' : 'them'} again as before?`,
      );
  }
  const plan = await withConnection(context, ({ api }) => {
    return planRecovery(context, api, key, { ...options, dryRun: true }, answered, true);
  });
  context.terminal.err(`\n${recoveryText(context, plan, [])}`, 'colors');
  // where nothing would change there is nothing to agree to
  const changes = plan.begins_run || (plan.recovered?.nodes.length ?? 0) > 0;
  if (!changes || (await confirm(context, 'Apply this plan?'))) return { plan, choice: answered };
  throw new TorcError('interrupted', 'nothing was changed', `${context.torc} recover ${key} --dry-run`);
}

/** Null leaves the jobs of the group as they are. */
async function askFactor(
  context: Context,
  group: Recovered['groups'][number],
  usual: number | null,
): Promise<number | null> {
  const [whose, them] = group.num_jobs === 1 ? ['its', 'it'] : ['their', 'them'];
  const question = `${failureWords(group.kind, group.num_jobs)}. Factor for ${whose} ${group.kind}, or n to leave ${them} [${usual}] `;
  for (;;) {
    const answer = await ask(context, question);
    if (answer === '') return usual;
    if (/^no?$/i.test(answer)) return null;
    try {
      return readFactor(answer);
    } catch (error) {
      if (!(error instanceof TorcError)) throw error;
      context.terminal.err(`${error.message}\n`);
    }
  }
}

/** `wasShown`: a person has agreed to the plan, and sees only the result. */
async function printRecovery(
  context: Context,
  plan: RestartPlan,
  allocations: readonly PlannedSubmission[],
  wasShown: boolean,
): Promise<void> {
  const shown = wasShown ? { ...plan, changes: [], num_changes: 0, kept: [], num_kept: 0 } : plan;
  const text = () => recoveryText(context, shown, allocations, wasShown);
  await printPlan(context, { ...plan, allocations }, plan.changes, text);
}

function recoveryText(
  context: Context,
  plan: RestartPlan,
  allocations: readonly PlannedSubmission[],
  wasShown = false,
): string {
  const { recovered, workflow_key: key } = plan;
  if (recovered === null) throw new TorcError('bug', 'the plan of a recovery was that of a restart');
  const groups = wasShown ? '' : groupsText(context, key, recovered);
  const ids = allocations.flatMap(({ slurm_job_id: id }) => (id === null ? [] : [id]));
  const isWatched = recovered.nodes_by !== 'nobody';
  return `${groups}${groups === '' ? '' : '\n'}${restartText(context, plan, isWatched ? 'follow' : 'run')}${nodesText(plan, recovered, ids)}`;
}
