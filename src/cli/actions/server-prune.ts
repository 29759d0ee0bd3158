/** `torc server prune`: removes what earlier runs have left behind, after showing how much that is. */
import { TorcError } from '../../base/errors.ts';
import { counted, shellWord } from '../../base/text.ts';
import { parseDuration } from '../../base/units.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { askToDelete } from '../input/ask.ts';
import { printResult, textTable } from '../output/output.ts';
import { shown } from '../plans/apply.ts';

export interface PruneOptions {
  /** A duration. */
  olderThan: string;
  events?: boolean;
  attempts?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

/** Many rows go in many short transactions. */
const timeoutMs = 3_600_000;

export async function prune(context: Context, options: PruneOptions): Promise<void> {
  const { events = false, attempts = false, dryRun = false } = options;
  if (!events && !attempts) {
    const hint = 'Add --events or --attempts; --dry-run shows what would be removed.';
    throw new TorcError('usage', 'say what to prune', hint);
  }
  await withConnection(context, async ({ api }) => {
    const ask = (dry_run: boolean) =>
      shown(
        context,
        dry_run ? 'counting' : 'pruning',
        api.call(
          'server_prune',
          { older_than_seconds: parseDuration(options.olderThan), attempts, dry_run },
          { timeoutMs },
        ),
      );
    const plan = await ask(true);
    const what = `${counted(plan.num_events, 'event')} and ${counted(plan.num_attempts, 'attempt')} of ${counted(plan.num_workflows, 'workflow')}`;
    const table = textTable(context, ['workflow_key', 'num_events', 'num_attempts', 'name'], plan.workflows);
    if (plan.num_workflows === 0) {
      return printResult(context, { ...plan, dry_run: dryRun }, () => `nothing to prune before ${plan.before}\n`);
    }
    if (dryRun) return printResult(context, plan, () => `${table}dry run: ${what} would be removed\n`);
    if (options.yes !== true && !context.isNoPrompts) {
      const kind = attempts ? '--attempts' : '--events';
      await askToDelete(context, what, `server prune --older-than ${shellWord(options.olderThan)} ${kind} --yes`);
    }
    const pruned = await ask(false);
    await printResult(context, pruned, () => `${table}removed ${what}\n`);
    note(context, 'The database file keeps its size; new rows use the space.');
  });
}
