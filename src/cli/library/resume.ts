/** A workflow that continues in a program. */
import { TorcError } from '../../base/errors.ts';
import { expandValue } from '../../model/expand/read.ts';
import type { WorkflowSpec } from '../../model/spec/spec.ts';
import { continueStored, noteResumed, resumeRecreated } from '../actions/resume.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { pathPlace } from '../documents/read-spec.ts';
import { checkStorable } from '../documents/send-workflow.ts';
import type { WorkflowRunOptions } from './place.ts';

type ResumeOptions = Pick<WorkflowRunOptions, 'keepRunning' | 'stopRunning' | 'resumeTimeout' | 'forceCleanup'>;

/** Throws 'usage' for options that contradict each other or mean nothing. */
export function checkResumeOptions(options: Pick<WorkflowRunOptions, 'resume'> & ResumeOptions): void {
  const { resume, keepRunning, stopRunning, resumeTimeout, forceCleanup } = options;
  if (keepRunning === true && stopRunning === true) {
    throw new TorcError('usage', 'keepRunning and stopRunning cannot be combined', 'Give only one of them.');
  }
  const isGiven = keepRunning !== undefined || stopRunning !== undefined || resumeTimeout !== undefined;
  if (resume !== true && (isGiven || forceCleanup !== undefined)) {
    throw new TorcError('usage', 'these options can be used only with resume', 'run({ resume: true, .. })');
  }
}

/**
 * Continues a stored workflow by its key, or the one with the identity of a specification. Returns its key; null where there
 * is none yet, or where it has not started. Throws 'conflict' when its jobs are others, 'already_complete' when all are done.
 */
export async function resumeWorkflow(
  context: Context,
  { key, spec }: { key: string | null; spec: WorkflowSpec },
  options: ResumeOptions,
): Promise<string | null> {
  const resume = { ...options, resume: true, command: 'run' };
  const resumed = await withConnection(
    context,
    async (connection) => {
      const restarted =
        key === null
          ? await resumeRecreated(context, connection, await recreated(context, spec), resume)
          : await continueStored(context, connection, key, resume);
      if (restarted === null) return null;
      noteResumed(context, restarted);
      const { workflow_key } = restarted.plan;
      return { key: workflow_key, needs: await needsServer(connection, workflow_key, false) };
    },
    // workers can stop their jobs only when a server answers them
    { creates: key === null, serves: options.stopRunning === true },
  );
  if (resumed?.needs === true) await startOwnServer(context);
  return resumed?.key ?? null;
}

async function recreated(context: Context, spec: WorkflowSpec) {
  const { workflow } = expandValue(spec, { file: spec.name, place: pathPlace(context) });
  if (workflow.args === undefined) {
    throw new TorcError('usage', 'resume needs a workflow with args', "new Workflow({ name: 'w', args: 'v1' })");
  }
  await checkStorable(workflow);
  return { spec: `the workflow ${spec.name}`, workflow };
}
