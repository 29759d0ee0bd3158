/** What is looked at before a run begins: inputs that must already exist, and others that write the same files. */
import { resolve } from 'node:path';
import type { Transaction } from '../database/transaction.ts';
import type { DeclaredFile, MissingInput } from '../running/input-versions.ts';
import { getWorkflow, type Workflow } from '../running/workflows.ts';

/** A file that a job reads and none writes. */
export interface OutsideFile extends DeclaredFile {
  name: string;
  jobName: string;
}

const readers = `SELECT j.name FROM job_files i JOIN jobs j ON j.job_key = i.job_key
  WHERE i.file_key = f.file_key AND i.is_output = 0 AND j.status <> 'disabled' ORDER BY j.job_key LIMIT 1`;
const writers = `SELECT 1 FROM job_files o JOIN jobs j ON j.job_key = o.job_key
  WHERE o.file_key = f.file_key AND o.is_output = 1 AND j.status <> 'disabled'`;

/** The files that jobs read and none writes, by name, in pages: the next one begins after the last name of this one. */
export function outsideFiles(tx: Transaction, workflowKey: number, after: string, limit: number) {
  const rows = tx.db.all<{ file_key: number; name: string; path: string; job_name: string | null }>(
    `SELECT f.file_key, f.name, f.path, CASE WHEN EXISTS (${writers}) THEN NULL ELSE (${readers}) END AS job_name
     FROM files f WHERE f.workflow_key = ? AND f.name > ? ORDER BY f.name LIMIT ?`,
    workflowKey,
    after,
    limit,
  );
  const files = rows.flatMap(({ file_key: fileKey, name, path, job_name: jobName }): OutsideFile[] =>
    jobName === null ? [] : [{ fileKey, name, path, jobName, hashed: [] }],
  );
  return { files, next: rows.length < limit ? null : (rows.at(-1)?.name ?? null) };
}

/** User data without a value that jobs read and none writes. */
export function missingUserData(tx: Transaction, workflowKey: number): MissingInput[] {
  const rows = tx.db.all<{ name: string; job_name: string }>(
    `SELECT u.name, min(j.name) AS job_name FROM user_data u
     JOIN job_user_data i ON i.user_data_key = u.user_data_key AND i.is_output = 0 JOIN jobs j ON j.job_key = i.job_key
     WHERE u.workflow_key = ? AND u.data IS NULL AND j.status <> 'disabled' AND NOT EXISTS (
       SELECT 1 FROM job_user_data o JOIN jobs p ON p.job_key = o.job_key
       WHERE o.user_data_key = u.user_data_key AND o.is_output = 1 AND p.status <> 'disabled')
     GROUP BY u.user_data_key ORDER BY u.user_data_key`,
    workflowKey,
  );
  return rows.map(({ name, job_name: jobName }) => ({ what: `user data ${name}`, jobName }));
}

/** How many output files of each workflow, and how many other workflows, are compared. */
const compared = { files: 1000, workflows: 20 };

/** Another workflow whose run has not ended, with a file that it writes as well as this one. */
export interface SharedOutput {
  workflow_key: string;
  name: string;
  path: string;
}

/** The workflows whose run has not ended and that write files to the same paths, whatever their names. */
export function sharedOutputs(tx: Transaction, workflow: Workflow): SharedOutput[] {
  const others = tx.db.all<{ workflow_key: number }>(
    `SELECT workflow_key FROM workflows WHERE phase = 'started' AND ended_at IS NULL AND workflow_key <> ?
     ORDER BY workflow_key DESC LIMIT ?`,
    workflow.workflowKey,
    compared.workflows,
  );
  if (others.length === 0) return [];
  const ours = new Set(writtenPaths(tx, workflow));
  return others.flatMap(({ workflow_key }) => {
    const other = getWorkflow(tx, workflow_key);
    const path = writtenPaths(tx, other).find((each) => ours.has(each));
    return path === undefined ? [] : [{ workflow_key: String(workflow_key), name: other.name, path }];
  });
}

/** The absolute paths of the first files that jobs of a workflow write. */
function writtenPaths(tx: Transaction, workflow: Workflow): string[] {
  const files = tx.db.all<{ path: string }>(
    `SELECT f.path FROM files f WHERE f.workflow_key = ?
     AND EXISTS (SELECT 1 FROM job_files o WHERE o.file_key = f.file_key AND o.is_output = 1)
     ORDER BY f.file_key LIMIT ?`,
    workflow.workflowKey,
    compared.files,
  );
  return files.flatMap(({ path }) => absolute(workflow, path) ?? []);
}

function absolute({ baseDirectory }: Workflow, path: string): string | null {
  if (path.startsWith('/')) return resolve(path);
  return baseDirectory === null ? null : resolve(baseDirectory, path);
}
