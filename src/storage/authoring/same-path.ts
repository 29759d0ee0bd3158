/** A file is its path: names of one path in a workflow are one file, that of the first of them. */
import { posix } from 'node:path';
import { fileIdentity } from '../../model/expand/file-paths.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow } from '../running/workflows.ts';

export interface StoredFile {
  file_key: number;
  name: string;
  path: string;
}

/** The first file of a workflow with this path, however the path is written; undefined when there is none. */
export function fileWithPath(tx: Transaction, workflowKey: number, path: string): StoredFile | undefined {
  const { baseDirectory } = getWorkflow(tx, workflowKey);
  const wanted = fileIdentity(path, baseDirectory);
  const last = posix.basename(wanted).replaceAll(/[\\%_]/g, '\\$&');
  const similar = tx.db.all<StoredFile>(
    `SELECT file_key, name, path FROM files WHERE workflow_key = ? AND path LIKE ? ESCAPE '\\' ORDER BY file_key`,
    workflowKey,
    `%${last}%`,
  );
  return similar.find((file) => fileIdentity(file.path, baseDirectory) === wanted);
}
