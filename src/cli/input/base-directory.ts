/** The base directory of a workflow, where its relative paths start and its jobs run. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { WorkflowShown } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Context, note } from '../context/context.ts';

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** A directory as typed, absolute. Throws 'not_found' if it does not exist. */
export function existingDirectory(typed: string): string {
  const path = resolve(typed);
  if (isDirectory(path)) return path;
  throw new TorcError('not_found', `there is no directory ${path}`, 'Jobs run in the base directory; it must exist.');
}

type Based = Pick<WorkflowShown, 'workflow_key' | 'base_directory'>;

/** Tells a person elsewhere where jobs are going to run. */
export function noteElsewhere(context: Context, { workflow_key: key, base_directory: base }: Based): void {
  if (base === null || base === process.cwd()) return;
  note(context, `jobs run in ${base}, the base directory of workflow ${key}, not in ${process.cwd()}`, 'warning');
}

/**
 * Where jobs on this machine start; null for the present directory, where the workflow has no base directory yet.
 * Throws 'unusable' if it is not on this machine.
 */
export function startDirectory(context: Context, workflow: Based): string | null {
  const { workflow_key: key, base_directory: base } = workflow;
  if (base !== null && !isDirectory(base)) {
    throw new TorcError(
      'unusable',
      `there is no directory ${base} on this machine, the base directory of workflow ${key}`,
      `If its files have moved: ${context.torc} workflows modify ${key} --base-directory DIR`,
    );
  }
  noteElsewhere(context, workflow);
  return base;
}
