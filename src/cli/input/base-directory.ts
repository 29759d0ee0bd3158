/** The base directory of a workflow, where its relative paths start and its jobs run. */
import { resolve } from 'node:path';
import type { WorkflowShown } from '../../api/contract.ts';
import { requireBaseDirectory, requireDirectory } from '../../base/base-directory.ts';
import { type Context, note } from '../context/context.ts';

/** A directory as typed, absolute. Throws 'not_found' if it does not exist, 'unusable' if it cannot be read. */
export async function existingDirectory(typed: string): Promise<string> {
  const path = resolve(typed);
  await requireDirectory(path, { what: path, hint: 'Jobs run in the base directory; it must exist.' });
  return path;
}

type Based = Pick<WorkflowShown, 'workflow_key' | 'base_directory'>;

/** Tells a person elsewhere where jobs are going to run. */
export function noteElsewhere(context: Context, { workflow_key: key, base_directory: base }: Based): void {
  if (base === null || base === process.cwd()) return;
  note(context, `jobs run in ${base}, the base directory of workflow ${key}, not in ${process.cwd()}`, 'warning');
}

/**
 * Where jobs on this machine start; null for the present directory, where the workflow has no base directory yet.
 * Throws 'not_found' or 'unusable' if it is not on this machine.
 */
export async function startDirectory(context: Context, workflow: Based): Promise<string | null> {
  const { workflow_key: workflowKey, base_directory: path } = workflow;
  if (path !== null) await requireBaseDirectory({ path, workflowKey, host: 'this machine', torc: context.torc });
  noteElsewhere(context, workflow);
  return path;
}
