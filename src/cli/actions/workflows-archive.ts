/** `torc workflows archive|unarchive|is-complete`. */
import { exitCodes } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { checkedKey, chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';

/** Hides workflows from lists, or shows them again; without keys the one that is chosen. */
export async function archiveWorkflows(context: Context, keys: readonly string[], archived: boolean): Promise<void> {
  const typed = keys.map((key) => checkedKey(key));
  const workflow_keys = await withConnection(context, async ({ api }) => {
    const chosen = typed.length > 0 ? typed : [await chooseWorkflow(context, api, null)];
    // refused as a whole when one is not there
    for (const workflow_key of chosen) await api.call('workflow_show', { workflow_key });
    for (const workflow_key of chosen) {
      await api.call('workflow_modify', { workflow_key, changes: { is_archived: archived } });
    }
    return chosen;
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
    api.call('workflow_show', { workflow_key: await chooseWorkflow(context, api, key) }),
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
