/** The workflows of a schedule: expanded here, stored and started as if a person had typed it. */
import type { Api } from '../../api/contract.ts';
import { beginRequest, configOf } from '../../api/creation.ts';
import { chunksOf } from '../../api/creation-chunks.ts';
import { textsIn } from '../../base/text-files.ts';
import type { ScheduledRun, ScheduledSpec } from '../../model/expand/scheduled.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { checkedText, extraDirectives } from '../../slurm/directives.ts';
import type { StoredSpecification } from '../../storage/authoring/schedules.ts';
import { finishCreate } from '../../storage/authoring/workflow-creation.ts';
import { deleteStep } from '../../storage/authoring/workflow-deletion.ts';
import { noteCreated, type Tick } from '../../storage/running/ticks.ts';
import type { ServerContext } from '../context.ts';

function scheduledSpec(given: StoredSpecification): ScheduledSpec {
  const { text, file, syntax, working_directory: directory, home, variables } = given;
  return {
    text,
    file,
    syntax: syntax ?? undefined,
    place: { directory, home, variables, readText: textsIn(directory) },
  };
}

/** Throws TorcError for a specification of which no workflow could be made, or whose workflow could not run by itself. */
export async function checkNewSchedule(given: StoredSpecification, run: ScheduledRun): Promise<void> {
  const { checkScheduled } = await import('../../model/expand/scheduled.ts');
  checkConfigs(checkScheduled(scheduledSpec(given), run));
}

function checkConfigs({ schedulers }: ExpandedWorkflow): void {
  for (const config of schedulers.map(configOf)) {
    for (const field of ['name', 'account', 'partition', 'qos', 'mem', 'tmp', 'gres', 'extra'] as const) {
      checkedText(field, config[field] ?? '');
    }
    extraDirectives(config.extra ?? '');
  }
}

/** Stores the workflow of a tick; the transaction that makes it visible notes it. Returns its key. */
export async function createScheduled(
  context: ServerContext,
  tick: Tick,
  given: StoredSpecification,
  run: ScheduledRun,
): Promise<number> {
  const { expandScheduled } = await import('../../model/expand/scheduled.ts');
  const workflow = expandScheduled(scheduledSpec(given), run);
  const place = { workingDirectory: given.working_directory, outputDirectory: given.output_directory };
  const api: Api = context;
  const { workflow_key } = await api.call('workflow_create_begin', beginRequest(workflow, place));
  const workflowKey = Number(workflow_key);
  try {
    for (const chunk of chunksOf(workflow, workflow_key)) await api.call('workflow_create_chunk', chunk);
    await context.write((tx) =>
      tx.actFor(context.info.user, () => {
        finishCreate(tx, workflowKey);
        noteCreated(tx, tick.tickKey, workflowKey);
      }),
    );
  } catch (error) {
    await dropUnfinished(context, workflowKey);
    throw error;
  }
  return workflowKey;
}

/** What cannot be dropped now is dropped when the database is opened next. */
async function dropUnfinished(context: ServerContext, workflowKey: number): Promise<void> {
  try {
    while (!(await context.write((tx) => deleteStep(tx, workflowKey))));
  } catch (error) {
    context.info.log.warn({ err: error, workflow_key: workflowKey }, 'an unfinished workflow could not be dropped');
  }
}
