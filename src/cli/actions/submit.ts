/** `torc submit SPEC`: creates and starts a workflow whose actions schedule nodes. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type MissingDataOption, refuseMissingInputs } from '../documents/outside-inputs.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { checkStorable, createWorkflow, noteWithoutEffect } from '../documents/send-workflow.ts';
import { startProgress } from '../output/progress.ts';
import { refuseKey, refuseWithoutJobs } from './run.ts';
import { ownerOf, type StatedOptions, withStated } from './workflows-create.ts';
import { startWorkflow } from './workflows-start-cancel-delete.ts';

export type SubmitOptions = StatedOptions & MissingDataOption;

export async function submitSpec(context: Context, spec: string, options: SubmitOptions): Promise<void> {
  refuseKey(context, spec, 'workflows start');
  const { workflow, user } = withStated(await readWorkflow(context, spec, null), options);
  refuseWithoutJobs(spec, workflow);
  requireNodes(context, spec, workflow);
  await checkStorable(workflow);
  refuseMissingInputs(workflow, options);
  noteWithoutEffect(context, workflow);
  const progress = startProgress(context);
  const { workflow_key, num_jobs } = await withConnection(
    context,
    ({ api }) =>
      createWorkflow(api, workflow, ownerOf(context, user), (stored) =>
        progress.update(`${stored} of ${workflow.numJobs} jobs stored`),
      ).finally(() => progress.clear()),
    { creates: true, leavesServer: true },
  );
  note(context, `workflow ${workflow_key}: ${counted(num_jobs, 'job')}`);
  const { ignoreMissingData = false } = options;
  await startWorkflow(context, workflow_key, { ignoreMissingData });
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
