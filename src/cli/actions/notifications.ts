/** `torc notifications test`. */
import type { Api } from '../../api/contract.ts';
import { exitCodes } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { checkedKey, chooseWorkflow } from '../input/workflow-key.ts';
import { printResult, textTable } from '../output/output.ts';

export interface TestOptions {
  only?: string;
  dryRun?: boolean;
}

export async function testNotifications(
  context: Context,
  key: string | null,
  { only, dryRun = false }: TestOptions,
): Promise<number> {
  const notification_key = only === undefined ? null : checkedKey(only, 'key of a notification');
  const reply = await withConnection(context, async ({ api }: { api: Api }) => {
    const workflow_key = await chooseWorkflow(context, api, key);
    return api.call('notifications_test', { workflow_key, notification_key, dry_run: dryRun });
  });
  const rows = reply.notifications.map(({ error, ...row }) => {
    return { ...row, result: error === null ? (dryRun ? 'would be sent' : 'sent') : 'not sent', error };
  });
  await printResult(context, { ...reply, is_dry_run: dryRun }, () => {
    const message = dryRun ? `Subject: ${reply.subject}\n\n${reply.text}\n` : '';
    return `${message}${textTable(context, ['notification_key', 'kind', 'result', 'error', 'target'], rows)}`;
  });
  return rows.some(({ error }) => error !== null) ? exitCodes.jobs_failed : 0;
}
