/** Changes of several workflows at once. */
import type { Api } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import type { ChosenWorkflows } from '../input/workflow-key.ts';
import { cellText } from '../output/table.ts';
import type { PlanOptions } from './apply.ts';
import { askAboutPattern } from './chosen-jobs.ts';

/** Workflows that are shown before the question. */
const shownWorkflows = 20;

/** Shows what a pattern chose and asks whether that is meant. Throws 'usage' where nobody can be asked. */
export async function askAboutWorkflows(
  context: Context,
  api: Api,
  { keys, hasPattern }: ChosenWorkflows,
  verb: string,
  { dryRun, yes }: PlanOptions,
): Promise<void> {
  if (!hasPattern || dryRun === true || yes === true || context.isNoPrompts) return;
  const filters = [{ column: 'workflow_key', value: keys.join(',') }];
  const request = { list: 'workflows', workflow_key: null, sort_by: null, reverse: false } as const;
  const { records } = await api.call('list', { ...request, filters, limit: shownWorkflows, skip: 0 });
  if (context.format !== 'json') {
    const lines = records.map(({ workflow_key, name, status }) => `${workflow_key} (${cellText(name)}): ${status}\n`);
    context.terminal.err(lines.join(''));
  }
  await askAboutPattern(context, [], `${verb} ${counted(keys.length, 'workflow')}`);
}
