/** `torc server prune`: removes what earlier runs have left behind, after showing how much that is. */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Api, Reply } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { backupFolder, replacedAt } from '../../base/paths.ts';
import { counted, shellWord } from '../../base/text.ts';
import { formatMemory, parseDuration } from '../../base/units.ts';
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
  logs?: boolean;
  replaced?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

type Rows = Reply<'server_prune'>;

/** Files that jobs wrote; `num_logs_left`: files that stay, because torc cannot know that they are its own. */
interface Logs {
  num_log_files: number;
  num_log_bytes: number;
  num_logs_left: number;
  logs: { workflow_key: string; name: string; num_files: number; num_bytes: number }[];
}

/** Databases that restored backups have replaced. */
interface Databases {
  num_databases: number;
  num_database_bytes: number;
  databases: { path: string; num_bytes: number }[];
}

type Plan = Rows & Logs & Databases;

/** Many rows go in many short transactions. */
const timeoutMs = 3_600_000;

export async function prune(context: Context, options: PruneOptions): Promise<void> {
  const { events = false, attempts = false, logs = false, replaced = false, dryRun = false } = options;
  const kinds = Object.entries({ events, attempts, logs, replaced }).flatMap(([name, isAsked]) =>
    isAsked ? [`--${name}`] : [],
  );
  if (kinds.length === 0) {
    const hint = 'Add --events, --attempts, --logs or --replaced; --dry-run shows what would be removed.';
    throw new TorcError('usage', 'say what to prune', hint);
  }
  const seconds = parseDuration(options.olderThan);
  await withConnection(context, async ({ api }) => {
    const carryOut = async (dry_run: boolean): Promise<Plan> => {
      const request = { older_than_seconds: seconds, attempts, dry_run };
      const rows = events || attempts ? await api.call('server_prune', request, { timeoutMs }) : null;
      const before = rows?.before ?? isoInstant(Math.round(context.clock.now() - seconds * 1000));
      return {
        ...(rows ?? { dry_run, before, num_workflows: 0, num_events: 0, num_attempts: 0, workflows: [] }),
        ...(await pruneLogs(api, logs ? before : null, dry_run)),
        ...pruneReplaced(context.directory, replaced ? Date.parse(before) : null, dry_run),
      };
    };
    const plan = await shown(context, 'counting', carryOut(true));
    if (plan.num_workflows + plan.num_log_files + plan.num_databases === 0) {
      const left = leftText(plan);
      return printResult(
        context,
        { ...plan, dry_run: dryRun },
        () => `nothing to prune before ${plan.before}\n${left}`,
      );
    }
    if (dryRun) {
      return printResult(context, plan, () => `${tables(context, plan)}dry run: ${whatOf(plan)} would be removed\n`);
    }
    if (options.yes !== true && !context.isNoPrompts) {
      const command = `server prune --older-than ${shellWord(options.olderThan)} ${kinds.join(' ')} --yes`;
      await askToDelete(context, whatOf(plan), command);
    }
    const pruned = await shown(context, 'pruning', carryOut(false));
    await printResult(context, pruned, () => `${tables(context, pruned)}removed ${whatOf(pruned)}\n`);
    if (pruned.num_workflows > 0) note(context, 'The database file keeps its size; new rows use the space.');
  });
}

function whatOf(plan: Plan): string {
  const { num_events, num_attempts, num_workflows, num_log_files, num_databases } = plan;
  const files = `${counted(num_log_files, 'log file')} (${formatMemory(plan.num_log_bytes)})`;
  return [
    ...(num_workflows === 0
      ? []
      : [
          `${counted(num_events, 'event')} and ${counted(num_attempts, 'attempt')} of ${counted(num_workflows, 'workflow')}`,
        ]),
    ...(num_log_files === 0 ? [] : [`${files} of ${counted(plan.logs.length, 'workflow')}`]),
    ...(num_databases === 0
      ? []
      : [`${counted(num_databases, 'replaced database')} (${formatMemory(plan.num_database_bytes)})`]),
  ].join(', ');
}

function tables(context: Context, plan: Plan): string {
  const sized = (bytes: number) => ({ size: formatMemory(bytes) });
  const logs = plan.logs.map(({ num_bytes, ...row }) => ({ ...row, ...sized(num_bytes) }));
  const databases = plan.databases.map(({ path, num_bytes }) => ({ ...sized(num_bytes), path }));
  const parts = [
    ...(plan.workflows.length === 0
      ? []
      : [textTable(context, ['workflow_key', 'num_events', 'num_attempts', 'name'], plan.workflows)]),
    ...(logs.length === 0 ? [] : [textTable(context, ['workflow_key', 'num_files', 'size', 'name'], logs)]),
    ...(databases.length === 0 ? [] : [textTable(context, ['size', 'path'], databases)]),
  ];
  return `${parts.join('\n')}${leftText(plan)}`;
}

function leftText({ num_logs_left: left }: Plan): string {
  if (left === 0) return '';
  const [stay, are] = left === 1 ? ['stays', 'it is'] : ['stay', 'they are'];
  return `${counted(left, 'log file')} ${stay}: ${are} behind a link, or not in an output directory of this server directory\n`;
}

/** Page after page, so that each request is short. Nothing without an instant. */
async function pruneLogs(api: Api, before: string | null, dry_run: boolean): Promise<Logs> {
  const sum: Logs = { num_log_files: 0, num_log_bytes: 0, num_logs_left: 0, logs: [] };
  let after: Reply<'logs_prune'>['next'] = null;
  do {
    if (before === null) break;
    const { workflow_key, name, num_files, num_bytes, num_left, next }: Reply<'logs_prune'> = await api.call(
      'logs_prune',
      { before, after, dry_run },
      { timeoutMs },
    );
    sum.num_log_files += num_files;
    sum.num_log_bytes += num_bytes;
    sum.num_logs_left += num_left;
    const last = sum.logs.at(-1);
    if (last?.workflow_key === workflow_key && last !== undefined) {
      last.num_files += num_files;
      last.num_bytes += num_bytes;
    } else if (num_files > 0 && workflow_key !== null) {
      sum.logs.push({ workflow_key, name: name ?? '', num_files, num_bytes });
    }
    after = next;
  } while (after !== null);
  return sum;
}

function pruneReplaced(directory: string, before: number | null, isDryRun: boolean): Databases {
  const folder = backupFolder(directory);
  const databases = replacedIn(folder).flatMap((name) => {
    const at = replacedAt(name);
    if (before === null || at === null || at >= before) return [];
    const path = join(folder, name);
    const num_bytes = lstatSync(path).size;
    if (!isDryRun) rmSync(path);
    return [{ path, num_bytes }];
  });
  const num_database_bytes = databases.reduce((sum, { num_bytes }) => sum + num_bytes, 0);
  return { num_databases: databases.length, num_database_bytes, databases };
}

function replacedIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
