/** `torc submit SPEC`: creates and starts a workflow whose actions schedule nodes. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type MissingDataOption, refuseMissingInputs } from '../documents/outside-inputs.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, noteWithoutEffect } from '../documents/send-workflow.ts';
import type { ResumeOptions } from '../input/options.ts';
import { checkResume, planRecreated, resumeRecreated } from './resume.ts';
import { refuseKey, refuseWithoutJobs } from './run.ts';
import { type StatedOptions, showCounts, storeWorkflow, withStated } from './workflows-create.ts';
import { exitCodeOf, printRestart, type Restarted } from './workflows-restart.ts';
import { startWorkflow } from './workflows-start-cancel-delete.ts';

export type SubmitOptions = StatedOptions & MissingDataOption & ResumeOptions;

/** The exit code: 7 when a resume finds nothing left to run. */
export async function submitSpec(context: Context, spec: string, options: SubmitOptions): Promise<number> {
  refuseKey(context, spec, 'workflows start');
  const { workflow } = withStated(await readWorkflow(context, spec, null), options);
  checkResume(options, workflow);
  refuseWithoutJobs(spec, workflow);
  requireNodes(context, spec, workflow);
  await checkStorable(workflow);
  noteWithoutEffect(context, workflow);
  const recreated = { spec, workflow };
  const resume = { ...options, command: 'submit' };
  if (options.dryRun === true) {
    const planned = options.resume === true ? await planRecreated(context, recreated, resume) : null;
    if (planned !== null) return printed(context, planned);
    refuseMissingInputs(workflow, options);
    await showCounts(context, workflow, false);
    return 0;
  }
  if (options.resume !== true) refuseMissingInputs(workflow, options);
  const done = await withConnection(
    context,
    async (connection) => {
      const resumed = options.resume === true ? await resumeRecreated(context, connection, recreated, resume) : null;
      if (resumed !== null) {
        return { resumed, needs: await needsServer(connection, resumed.plan.workflow_key, false) };
      }
      refuseMissingInputs(workflow, options);
      return { made: await storeWorkflow(context, connection, workflow) };
    },
    { creates: true, leavesServer: true, serves: options.stopRunning === true },
  );
  if (done.resumed !== undefined) {
    if (done.needs) await startOwnServer(context);
    return printed(context, done.resumed);
  }
  const { workflow_key, num_jobs } = done.made;
  note(context, `workflow ${workflow_key}: ${counted(num_jobs, 'job')}`);
  const { ignoreMissingData = false } = options;
  await startWorkflow(context, workflow_key, { ignoreMissingData });
  return 0;
}

async function printed(context: Context, restarted: Restarted): Promise<number> {
  await printRestart(context, restarted);
  return exitCodeOf(restarted.plan);
}

/** Without nodes the jobs would wait forever. */
function requireNodes({ torc }: Context, spec: string, { actions }: ExpandedWorkflow): void {
  const schedules = actions.some(
    ({ triggerType, actionType }) => triggerType === 'on_workflow_start' && actionType === 'schedule_nodes',
  );
  if (schedules) return;
  throw new TorcError(
    'usage',
    `${spec} has no action that schedules nodes when the workflow starts`,
    `Add one (trigger_type: on_workflow_start, action_type: schedule_nodes), or type ${torc} workflows create, ${torc} workflows start and ${torc} hpc slurm schedule-nodes.`,
  );
}
