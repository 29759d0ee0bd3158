/** `torc workflows delete-all`: all or none. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { askToDelete } from '../input/ask.ts';
import { listPages } from '../input/list.ts';
import { printResult, textTable } from '../output/output.ts';
import { shown } from '../plans/apply.ts';
import type { DeleteOptions } from './workflows-start-cancel-delete.ts';

/** How many running workflows an error names. */
const mostNamed = 10;

export async function deleteAllWorkflows(context: Context, options: DeleteOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const workflows: { workflow_key: string; name: string; num_jobs: number; num_results: number }[] = [];
    const running: { workflow_key: string; name: string }[] = [];
    for await (const page of listPages(api, 'workflows', null, { filter: [], excludeColumn: [] })) {
      for (const { workflow_key, name } of page) {
        const workflow = { workflow_key: String(workflow_key), name: String(name) };
        try {
          const plan = await api.call('workflow_delete', { workflow_key: workflow.workflow_key, dry_run: true });
          workflows.push({ ...workflow, num_jobs: plan.num_jobs, num_results: plan.num_results });
        } catch (error) {
          if (!(error instanceof TorcError) || error.code !== 'conflict') throw error;
          running.push(workflow);
        }
      }
    }
    refuseRunning(context, running);
    const value = { dry_run: options.dryRun === true, workflows, num_workflows: workflows.length };
    const what = counted(workflows.length, 'workflow');
    const table = textTable(context, ['workflow_key', 'num_jobs', 'num_results', 'name'], workflows);
    if (workflows.length === 0) return printResult(context, value, () => 'there are no workflows to delete\n');
    if (options.dryRun === true) {
      return printResult(context, value, () => `${table}dry run: ${what} would be deleted\n`);
    }
    if (options.force !== true && options.yes !== true && !context.isNoPrompts) {
      await askToDelete(context, `${what} with all jobs and results`, 'workflows delete-all --force');
    }
    for (const { workflow_key } of workflows) {
      const request = { workflow_key, dry_run: false };
      await shown(context, `deleting workflow ${workflow_key}`, api.call('workflow_delete', request));
    }
    await printResult(context, value, () => `${table}deleted ${what}\n`);
  });
}

function refuseRunning({ torc }: Context, running: readonly { workflow_key: string; name: string }[]): void {
  const [first] = running;
  if (first === undefined) return;
  const named = running.slice(0, mostNamed).map(({ workflow_key, name }) => `${workflow_key} (${name})`);
  const more = running.length > mostNamed ? ` and ${running.length - mostNamed} more` : '';
  throw new TorcError(
    'conflict',
    `jobs run in ${counted(running.length, 'workflow')}, so nothing was deleted: ${named.join(', ')}${more}`,
    `${torc} workflows cancel ${first.workflow_key}`,
  );
}
