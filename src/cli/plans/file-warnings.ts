/** What a person is told about files before a run: many are gone, perhaps the directory is another one; others write them too. */
import type { Api, RestartPlan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Context, note } from '../context/context.ts';
import { confirm } from '../input/ask.ts';
import { cellText } from '../output/table.ts';
import type { PlanRequest } from './apply.ts';

/** What a person should know before most of the done jobs run again; null when there is nothing to say. */
function lostFilesWords({ missing_files: missing, base_directory: base }: RestartPlan): string | null {
  const { num_rerun: again, num_done: done } = missing;
  if (again * 2 <= done) return null;
  return `${again} of ${done} done jobs run again because declared files are missing in ${base}`;
}

/**
 * Throws the error that a restart would end with, before anything changes. On a terminal it asks when most of the done
 * jobs would run again for missing files; throws 'interrupted' unless the answer is yes.
 */
export async function confirmRestart(
  context: Context,
  api: Api,
  request: PlanRequest<'workflow_restart'>,
): Promise<void> {
  const plan = await api.call('workflow_restart', { ...request, dry_run: true, expected_state: null, skip: 0 });
  const words = context.mayAsk ? lostFilesWords(plan) : null;
  if (words === null || (await confirm(context, `${words}. Restart?`))) return;
  throw new TorcError(
    'interrupted',
    'nothing was restarted',
    `If the files are elsewhere: ${context.torc} workflows modify ${plan.workflow_key} --base-directory DIR`,
  );
}

/** Warns of workflows in progress that write the same files: two runs of one specification overwrite each other. */
export function noteSharedOutputs(
  context: Context,
  { shared_outputs: shared }: Pick<RestartPlan, 'shared_outputs'>,
): void {
  for (const { workflow_key: key, name, path } of shared) {
    note(
      context,
      `workflow ${key} (${cellText(name)}) has not ended and writes the same files, such as ${path}`,
      'warning',
    );
  }
}

/** The same as a warning, where nobody was asked. */
export function noteLostFiles(context: Context, plan: RestartPlan): void {
  noteSharedOutputs(context, plan);
  const words = plan.dry_run || !context.mayAsk ? lostFilesWords(plan) : null;
  if (words !== null) note(context, words, 'warning');
}
