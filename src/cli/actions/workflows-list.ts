/** `torc workflows list`: archived workflows only on request. */
import type { Context } from '../context/context.ts';
import type { ListOptions } from '../input/filters.ts';
import { showList } from '../input/list.ts';

export interface ListWorkflowsOptions extends ListOptions {
  onlyArchived?: boolean;
  includeArchived?: boolean;
  allUsers?: boolean;
}

export async function listWorkflows(
  context: Context,
  words: readonly string[],
  { onlyArchived, includeArchived, allUsers, ...options }: ListWorkflowsOptions,
): Promise<void> {
  const isNamed = words.length > 0 || context.workflowKey !== null;
  const isSaid = isNamed || includeArchived === true || options.filter.some(({ column }) => column === 'is_archived');
  const shown = onlyArchived === true ? 'true' : isSaid ? null : 'false';
  const filter = shown === null ? options.filter : [...options.filter, { column: 'is_archived', value: shown }];
  const asked = allUsers === true ? { ...context, userOption: null } : context;
  await showList(asked, 'workflows', { ...options, filter }, words);
}
