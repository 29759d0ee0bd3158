/** `torc status`: how workflows stand, a line for each, or the page of one. */
import type { Api } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { chooseWorkflows, isWorkflowStated } from '../input/workflow-key.ts';
import { failuresValue, readFailures } from '../output/failures.ts';
import { printResult } from '../output/output.ts';
import { cannotWriteLines, statusPage } from '../output/status-page.ts';
import { type Look, statusTable } from '../output/status-table.ts';
import { unheardWorkers, unreachedOf, unreachedWorkers } from '../output/unreached.ts';

export interface StatusOptions {
  limit?: number;
  all?: boolean;
}

const usualLimit = 20;

/** One workflow, typed or stated by `-k` or the environment, asks for its page; none, or `--all`, for all workflows. */
export async function showStatus(context: Context, keys: readonly string[], options: StatusOptions): Promise<void> {
  const isStated = keys.length > 0 || (options.all !== true && isWorkflowStated(context));
  await withConnection(context, async ({ api }) => {
    const chosen = isStated ? (await chooseWorkflows(context, api, keys, 'reads')).keys : null;
    const [only, ...others] = chosen ?? [];
    if (only !== undefined && others.length === 0) return await showPage(context, api, only);
    await showTable(context, api, chosen, options.limit ?? usualLimit);
  });
}

export function lookOf({ terminal, hasColor }: Context): Look {
  return { columns: terminal.isStdoutTerminal ? terminal.columns() : Number.POSITIVE_INFINITY, hasColor };
}

async function showTable(context: Context, api: Api, keys: string[] | null, limit: number): Promise<void> {
  const request = { workflow_keys: keys, user: context.userOption, state: null, wait_seconds: 0 };
  const asked = { ...request, limit: Math.min(limits.statusLines, keys === null ? limit : keys.length) };
  const { workflows, more, is_served, cannot_write } = await api.call('status', asked);
  const value = { is_served, cannot_write, workflows, more };
  await printResult(context, value, () => (workflows.length === 0 ? '' : statusTable(workflows, lookOf(context))));
  if (cannot_write !== null)
    note(context, cannotWriteLines(context, cannot_write, context.clock.now()).join('; '), 'warning');
  const what = context.userOption === null ? 'workflow' : `workflow of ${context.userOption}`;
  if (workflows.length === 0) note(context, `no ${what} in ${context.directory}: ${context.torc} run SPEC`);
  const listed = new Set(workflows.map(({ workflow_key }) => workflow_key));
  const unreached = unreachedWorkers(context.directory, context.clock.now());
  for (const key of new Set(unreached.map(({ workflow_key }) => workflow_key))) {
    if (!listed.has(key)) continue;
    const count = unreached.filter(({ workflow_key }) => workflow_key === key).length;
    const has = count === 1 ? 'has' : 'have';
    const words = `${counted(count, 'worker')} of workflow ${key} ${has} no connection to the server`;
    note(context, `${words}: ${context.torc} status ${key}`, 'warning');
  }
  if (more) note(context, `the newest ${counted(workflows.length, 'workflow')}; more with -l`);
}

async function showPage(context: Context, api: Api, workflow_key: string): Promise<void> {
  const page = await api.call('workflow_status', { workflow_key });
  const failures = await readFailures(context, api, page.failures);
  const { workflow, is_served, cannot_write, workers, allocations, allocations_without_worker } = page;
  const now = context.clock.now();
  const unreached_workers = unreachedOf(context.directory, workflow_key, now);
  const network = { allocations_without_worker, unreached_workers };
  const value = { ...workflow, is_served, cannot_write, workers, allocations, ...network, ...failuresValue(failures) };
  const parts = { page, failures, now, unheard: unheardWorkers(context, page, unreached_workers, now) };
  await printResult(context, value, () => statusPage(context, parts, lookOf(context)));
}
