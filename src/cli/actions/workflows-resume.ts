/** `torc workflows resume`: ends a pause, or begins the next run with what has not succeeded; schedules nodes for it. */
import type { Api, Reply, WorkflowShown } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import type { ResumeOptions } from '../input/options.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { printPlan } from '../plans/output.ts';
import { planSchedule, type ScheduleOptions } from '../workers/allocation-plan.ts';
import { pauseText } from './pauses.ts';
import { continueStored, refuseBoth, showIncomplete } from './resume.ts';
import { submitNodes } from './slurm-schedule.ts';
import { exitCodeOf, type Restarted, restartedText, restartedValue } from './workflows-restart.ts';

export interface ResumeKeyOptions extends Omit<ResumeOptions, 'resume'> {
  schedule?: number;
  schedulerKey?: string;
  output?: string;
}

type Resumed = { kind: 'went_on'; reply: Reply<'workflow_pause'> } | { kind: 'restarted'; restarted: Restarted };

/** The exit code: 7 when nothing is left to run. */
export async function resumeWorkflow(context: Context, key: string | null, options: ResumeKeyOptions): Promise<number> {
  refuseBoth(options);
  const { workflowKey, resumed, needs } = await withConnection(
    context,
    async (connection) => {
      const { api } = connection;
      const workflowKey = await chooseWorkflow(context, api, key);
      const nodes = nodesOptions(options);
      // errors of the submission are found before anything is changed
      if (nodes !== null) {
        await showIncomplete(context, api, workflowKey);
        await planSchedule({ ...context, workflowKey }, api, nodes);
      }
      const resumed = await resume(context, api, workflowKey, options);
      const isApplied = options.dryRun !== true && options.schedule === undefined;
      return { workflowKey, resumed, needs: isApplied && (await needsServer(connection, workflowKey, false)) };
    },
    { serves: options.stopRunning === true && options.dryRun !== true },
  );
  if (needs) await startOwnServer(context);
  const nodes = nodesOptions(options);
  const exitCode = resumed.kind === 'restarted' ? exitCodeOf(resumed.restarted.plan) : 0;
  const submitted = nodes === null || exitCode !== 0 ? null : await submitNodes({ ...context, workflowKey }, nodes);
  const text = submitted?.text ?? '';
  if (resumed.kind === 'went_on') {
    const { reply } = resumed;
    const value = { dry_run: options.dryRun ?? false, ...submitted?.value, ...reply };
    await printResult(context, value, () => `${value.dry_run ? 'dry run: ' : ''}${pauseText(context, reply)}${text}`);
  } else {
    const { restarted } = resumed;
    const value = { ...submitted?.value, ...restartedValue(restarted) };
    await printPlan(context, value, restarted.plan.changes, () => restartedText(context, restarted) + text);
  }
  return exitCode;
}

function nodesOptions({ schedule, schedulerKey, output, dryRun }: ResumeKeyOptions): ScheduleOptions | null {
  if (schedule === undefined) return null;
  return {
    count: schedule,
    jobPrefix: 'worker',
    server: true,
    ...(schedulerKey === undefined ? {} : { schedulerKey }),
    ...(output === undefined ? {} : { output }),
    ...(dryRun === undefined ? {} : { dryRun }),
  };
}

async function resume(context: Context, api: Api, workflowKey: string, options: ResumeKeyOptions): Promise<Resumed> {
  const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
  if (goesOn(workflow, options)) return { kind: 'went_on', reply: await endPause(api, workflow, options) };
  const command = `workflows resume ${workflowKey}`;
  const restarted = await continueStored(context, { api }, workflowKey, { ...options, command });
  if (restarted !== null) return { kind: 'restarted', restarted };
  throw new TorcError(
    'conflict',
    `workflow ${workflowKey} has not started`,
    `${context.torc} workflows start ${workflowKey}`,
  );
}

/** A run that has not ended, or is still to come, needs no other one, unless running jobs are spoken of. */
function goesOn({ status, is_paused, run_id }: WorkflowShown, { keepRunning, stopRunning }: ResumeKeyOptions): boolean {
  if (keepRunning === true || stopRunning === true) return false;
  const canGoOn = ['paused', 'ready', 'waiting'].includes(status) || (status === 'uninitialized' && run_id === 0);
  return status === 'running' || (is_paused && canGoOn);
}

async function endPause(
  api: Api,
  { workflow_key, is_paused, num_ready, num_running }: WorkflowShown,
  { dryRun }: ResumeKeyOptions,
): Promise<Reply<'workflow_pause'>> {
  if (dryRun !== true) return api.call('workflow_pause', { workflow_key, paused: false });
  return { workflow_key, is_paused: false, was_paused: is_paused, num_ready, num_running };
}
