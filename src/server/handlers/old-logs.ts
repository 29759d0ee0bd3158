/** Removes what jobs wrote in workflows that ended long ago. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Reply, Request } from '../../api/contract.ts';
import { isOutputOf } from '../../base/output-owner.ts';
import { type Removal, removeOutput } from '../../base/trusted/removal.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { noteLogsPruned, oldLogs } from '../../storage/lists/old-logs.ts';
import type { ServerContext } from '../context.ts';

/** Files that the server directory knows, in output directories of its own that this host sees; everything else stays. */
export async function prepareLogPruning(
  { view, info }: ServerContext,
  { before, after, dry_run }: Request<'logs_prune'>,
): Promise<(tx: Transaction) => Reply<'logs_prune'>> {
  const from = { workflowKey: Number(after?.workflow_key ?? 0), attemptKey: Number(after?.attempt_key ?? 0) };
  const { workflow, logs, next } = oldLogs(view, Date.parse(before), from);
  const counts = { num_files: 0, num_bytes: 0, num_left: 0 };
  const gone: number[] = [];
  const own = new Map<string, boolean>();
  const seen = new Map<string, Removal | 'elsewhere'>();
  for (const { attemptKey, outputDirectory, paths, counted } of logs) {
    const all = new Set([...paths, ...counted]);
    for (const path of all) {
      if (seen.has(path)) continue;
      // a file system that does not answer holds up only this request
      await stat(dirname(path)).catch(() => {});
      const isOwn = own.get(outputDirectory) ?? isOutputOf(outputDirectory, info.directory);
      own.set(outputDirectory, isOwn);
      seen.set(path, isOwn ? removeOutput(outputDirectory, path, dry_run) : othersFile(path));
    }
    if (paths.length > 0 && paths.every((path) => isGone(seen.get(path)))) gone.push(attemptKey);
    for (const path of counted) {
      const found = seen.get(path);
      if (typeof found === 'number') {
        counts.num_files += 1;
        counts.num_bytes += found;
      }
      if (found === 'left') counts.num_left += 1;
    }
  }
  return (tx) => {
    if (!dry_run) noteLogsPruned(tx, gone);
    return {
      workflow_key: workflow === null ? null : String(workflow.workflowKey),
      name: workflow?.name ?? null,
      ...counts,
      next:
        next === null
          ? null
          : {
              workflow_key: String(next.workflowKey),
              attempt_key: next.attemptKey === 0 ? null : String(next.attemptKey),
            },
    };
  };
}

const isGone = (found: Removal | 'elsewhere' | undefined): boolean => typeof found === 'number' || found === 'absent';

/** What is in a directory of another server directory, or was written on another host. */
const othersFile = (path: string): 'left' | 'elsewhere' => (existsSync(path) ? 'left' : 'elsewhere');
