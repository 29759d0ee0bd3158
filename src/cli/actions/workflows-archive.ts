/** `torc workflows archive|unarchive|is-complete`. */
import { exitCodes } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow, chooseWorkflows } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { askAboutWorkflows } from '../plans/chosen-workflows.ts';

/** Hides workflows from lists, or shows them again; without keys the one that is chosen. */
export async function archiveWorkflows(
  context: Context,
  words: readonly string[],
  archived: boolean,
  options: { yes?: boolean },
): Promise<void> {
  const workflow_keys = await withConnection(context, async ({ api }) => {
    // refused as a whole when one is not there
    const chosen = await chooseWorkflows(context, api, words);
    await askAboutWorkflows(context, api, chosen, archived ? 'archive' : 'unarchive', options);
    for (const workflow_key of chosen.keys) {
      await api.call('workflow_modify', { workflow_key, changes: { is_archived: archived } });
    }
    return chosen.keys;
  });
  await printResult(context, { workflow_keys, is_archived: archived }, () => {
    const what = `${archived ? 'archived' : 'unarchived'} ${counted(workflow_keys.length, 'workflow')}`;
    return `${what}: ${workflow_keys.join(', ')}\n`;
  });
}

const endings = ['done', 'failed', 'canceled', 'timeout'];

/** Returns 1 while the workflow has not ended. */
export async function showIsComplete(context: Context, key: string | null): Promise<number> {
  const { workflow_key, status } = await withConnection(context, async ({ api }) =>
    api.call('workflow_show', { workflow_key: await chooseWorkflow(context, api, key, 'reads') }),
  );
  const is_complete = endings.includes(status);
  const value = { workflow_key, is_complete, is_canceled: status === 'canceled', status };
  await printResult(
    context,
    value,
    () => `workflow ${workflow_key} ${is_complete ? 'has ended' : 'has not ended'}: ${status}\n`,
  );
  return is_complete ? 0 : exitCodes.jobs_failed;
}
