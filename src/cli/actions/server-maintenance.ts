/** `torc server backup|check`: through the running server, or with the database opened here; `restore`: without either. */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, type Stats, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { exitCodes, systemCode, TorcError } from '../../base/errors.ts';
import { counted, visible } from '../../base/text.ts';
import { moveIntoPlace } from '../../base/trusted/named.ts';
import type { Restored } from '../../server/owner/restore.ts';
import { askServer } from '../connection/daemon.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { localInstant } from '../output/local-time.ts';
import { printResult } from '../output/output.ts';
import { shown } from '../plans/apply.ts';

/** Copying and reading a large database takes minutes. */
const timeoutMs = 3_600_000;

/** Copies to a temporary file beside the target, so that the target is never half a backup. */
export async function backUp(context: Context, file: string, isForced: boolean): Promise<void> {
  const path = resolve(file);
  refuseTarget(context, path, isForced);
  const part = `${path}.part-${randomBytes(6).toString('hex')}`;
  try {
    const { hostname: host } = await withConnection(
      context,
      ({ api }) => api.call('server_backup', { path: part }, { timeoutMs }),
      { leavesServer: true },
    );
    if (!existsSync(part)) {
      const words = `the server on ${host} wrote ${part}, but this host (${hostname()}) cannot see it`;
      throw new TorcError('usage', words, 'Choose a directory that both hosts share.');
    }
    const { verifyBackup } = await import('../../server/handlers/maintenance.ts');
    const found = verifyBackup(part);
    const size_bytes = statSync(part).size;
    refuseTarget(context, path, isForced);
    moveIntoPlace(part, path);
    const value = { path, size_bytes, ...found };
    await printResult(
      context,
      value,
      () =>
        `${visible(path)}: ${counted(found.num_workflows, 'workflow')}, ${counted(found.num_jobs, 'job')}, verified\n`,
    );
  } finally {
    // Node 24 does not forgive a path below a file
    if (existsSync(part)) rmSync(part, { force: true });
  }
}

function refuseTarget(context: Context, path: string, isForced: boolean): void {
  const found = targetStats(path);
  if (found === undefined) return;
  const database = statSync(join(context.directory, 'torc.db'), { throwIfNoEntry: false });
  if (found.ino === database?.ino && found.dev === database.dev) {
    throw new TorcError('usage', `${path} is the database itself`, 'Choose another name for the backup.');
  }
  if (!found.isFile()) throw new TorcError('usage', `${path} is not a file`, 'Name the file for the backup.');
  if (isForced) return;
  throw new TorcError('conflict', `${path} already exists`, 'Choose another name, or replace it with --force.');
}

function targetStats(path: string): Stats | undefined {
  try {
    // with throwIfNoEntry Node 22 and 26 do not tell a path below a file from a missing one
    return statSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new TorcError('usage', `cannot write ${path} (${systemCode(error)})`, 'Choose another name for the backup.', {
      cause: error,
    });
  }
}

/** Replaces the database by a backup, while nothing uses it; `--dry-run` says what would be replaced. */
export async function restore(context: Context, file: string, dryRun: boolean): Promise<void> {
  const { directory, torc } = context;
  const running = await askServer(directory);
  if (running !== null) {
    const { heldBy, presentHolder } = await import('../../server/owner/ownership.ts');
    const holder = presentHolder(directory);
    // a torc run serves too, and ends in its own way
    if (holder?.pid === running.pid && !/ server start( |$)/.test(holder.command)) throw heldBy(directory);
    throw new TorcError(
      'busy',
      `a server is running on ${running.hostname} (pid ${running.pid}) for ${directory}`,
      `Stop it first; jobs that run continue: ${torc} server stop`,
    );
  }
  const { restoreBackup } = await import('../../server/owner/restore.ts');
  const work = restoreBackup({
    directory,
    backup: resolve(file),
    dryRun,
    clock: context.clock,
    command: context.commandLine,
  });
  const restored = await shown(context, `restoring ${file}`, work);
  await printResult(context, restored, () => restoredText(restored, context.clock.now()));
  if (!dryRun) note(context, `Next: ${torc} workflows list, or ${torc} server start --daemon for workers that run.`);
}

function restoredText({ dry_run, directory, backup, replaced }: Restored, now: number): string {
  const content = (found: { schema_version: number | null; num_workflows: number | null; num_jobs: number | null }) =>
    found.num_workflows === null
      ? 'cannot be read'
      : `schema version ${found.schema_version}, ${counted(found.num_workflows, 'workflow')}, ${counted(found.num_jobs ?? 0, 'job')}`;
  const made = backup.copied_at === null ? '' : `, made ${localInstant(backup.copied_at, now)}`;
  const lines = [`backup:   ${visible(backup.path)} (${content(backup)}${made})`];
  if (replaced !== null) {
    lines.push(`replaces: ${visible(join(directory, 'torc.db'))} (${content(replaced)})`);
    lines.push(`${dry_run ? 'to keep:  ' : 'kept in:  '}${visible(replaced.kept_path)}`);
    if (!replaced.is_same_database) {
      lines.push('The backup does not show that it is of the same database: workers that still run will end.');
    }
  }
  if (backup.is_older) {
    lines.push(
      'The next command upgrades it, after making a copy; to go back to an older torc, install that one first.',
    );
  }
  lines.push(dry_run ? 'dry run: nothing was replaced' : `restored ${visible(directory)}`);
  return `${lines.join('\n')}\n`;
}

/** Prints all problems; returns 4 when there are any. */
export async function check(context: Context): Promise<number> {
  const found = await withConnection(context, ({ api }) => api.call('server_check', {}, { timeoutMs }), {
    leavesServer: true,
  });
  await printResult(context, { directory: context.directory, ...found }, () => {
    const contents = [
      `schema version ${found.schema_version}`,
      counted(found.num_workflows, 'workflow'),
      counted(found.num_jobs, 'job'),
      counted(found.num_attempts, 'attempt'),
    ].join(', ');
    if (found.sound) return `no problems in ${visible(context.directory)} (${contents})\n`;
    const lines = found.problems.map(({ message }) => `${visible(message)}\n`);
    const rest = found.num_problems - found.problems.length;
    if (rest > 0) lines.push(`.. and ${rest} more\n`);
    return `${lines.join('')}${counted(found.num_problems, 'problem')} in ${visible(context.directory)} (${contents})\n`;
  });
  return found.sound ? 0 : exitCodes.conflict;
}
