/** What results were made from: recorded with each result, to find the results that are outdated. */
import type { FileState } from '../../api/contract.ts';
import { type FileFacts, fileChange } from '../../model/decide/changes.ts';
import type { Transaction } from '../database/transaction.ts';
import { jobsWithOtherInputs } from './result-values.ts';

/** Stores the states in which a worker saw a job's declared files; files that the job does not declare are ignored. */
export function recordFileStates(tx: Transaction, jobKey: number, states: readonly FileState[]): void {
  for (const state of states) {
    const { changes } = tx.db.run(
      `UPDATE job_files SET size_bytes = ?, modified_us = ?, changed_us = ?, content_hash = ?
       WHERE job_key = ? AND file_key = ? AND is_output = ?`,
      state.size_bytes,
      state.modified_us,
      state.changed_us,
      state.content_hash,
      jobKey,
      state.file_key,
      state.is_output ? 1 : 0,
    );
    if (changes === 0) continue;
    const isThere = state.size_bytes >= 0;
    tx.db.run(
      'UPDATE files SET size_bytes = ?, modified_at = ?, content_hash = ? WHERE file_key = ?',
      isThere ? state.size_bytes : null,
      isThere && state.modified_us !== null ? Math.floor(state.modified_us / 1000) : null,
      state.content_hash,
      state.file_key,
    );
  }
}

export interface DeclaredFile {
  fileKey: number;
  path: string;
  /** The states seen by jobs whose workers read its content; empty for most files. */
  hashed: FileFacts[];
}

/** The declared files of a workflow. */
export function declaredFiles(tx: Transaction, workflowKey: number): DeclaredFile[] {
  const files = tx.db
    .all<{ file_key: number; path: string }>('SELECT file_key, path FROM files WHERE workflow_key = ?', workflowKey)
    .map((row): DeclaredFile => ({ fileKey: row.file_key, path: row.path, hashed: [] }));
  const byKey = new Map(files.map((file) => [file.fileKey, file]));
  for (const row of tx.db.all<FactsRow & { file_key: number }>(
    `SELECT DISTINCT jf.file_key, jf.size_bytes, jf.modified_us, jf.changed_us, jf.content_hash FROM files f
     JOIN job_files jf ON jf.file_key = f.file_key
     WHERE f.workflow_key = ? AND jf.is_output = 0 AND jf.content_hash IS NOT NULL`,
    workflowKey,
  )) {
    byKey.get(row.file_key)?.hashed.push(factsOf(row));
  }
  return files;
}

interface FactsRow {
  size_bytes: number | null;
  modified_us: number | null;
  changed_us: number | null;
  content_hash: string | null;
}

function factsOf(row: FactsRow): FileFacts {
  return {
    sizeBytes: row.size_bytes,
    modifiedUs: row.modified_us,
    changedUs: row.changed_us,
    contentHash: row.content_hash,
  };
}

/** Done jobs whose result is outdated, each with what changed. `files`: the present state of each declared file. */
export function findChanges(
  tx: Transaction,
  workflowKey: number,
  files: ReadonlyMap<number, FileFacts>,
): Map<number, string> {
  const changes = new Map<number, string>();
  const note = (jobKey: number, change: string | null): void => {
    if (change !== null && !changes.has(jobKey)) changes.set(jobKey, change);
  };
  for (const row of tx.db.all<{ job_key: number }>(
    `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'done' AND is_command_changed = 1`,
    workflowKey,
  )) {
    note(row.job_key, 'its command or directory was changed');
  }
  for (const row of tx.db.all<JobFileRow>(
    `SELECT j.job_key, j.failed, a.cause IS 'marked' AS is_marked, f.name, jf.*
     FROM jobs j JOIN job_files jf ON jf.job_key = j.job_key JOIN files f ON f.file_key = jf.file_key
     LEFT JOIN attempts a ON a.attempt_key = j.attempt_key WHERE j.workflow_key = ? AND j.status = 'done'
     ORDER BY j.job_key, jf.is_output, jf.file_key`,
    workflowKey,
  )) {
    const now = files.get(row.file_key);
    if (now !== undefined) note(row.job_key, row.is_output === 1 ? outputChange(row, now) : inputChange(row, now));
  }
  for (const row of tx.db.all<JobDatumRow>(
    `SELECT j.job_key, j.failed, a.cause IS 'marked' AS is_marked, u.name, u.version AS version_now,
       u.data IS NULL AS is_missing, ju.is_output, ju.version
     FROM jobs j JOIN job_user_data ju ON ju.job_key = j.job_key JOIN user_data u ON u.user_data_key = ju.user_data_key
     LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.workflow_key = ? AND j.status = 'done' ORDER BY j.job_key, ju.is_output, u.user_data_key`,
    workflowKey,
  )) {
    note(row.job_key, userDataChange(row));
  }
  for (const jobKey of jobsWithOtherInputs(tx, workflowKey)) {
    note(jobKey, 'the result values of its upstream jobs changed');
  }
  return changes;
}

interface JobFileRow extends FactsRow {
  job_key: number;
  /** Whether a person said that the job is done: then nothing says what it wrote. */
  is_marked: number;
  file_key: number;
  name: string;
  failed: number;
  is_output: number;
}

interface JobDatumRow {
  job_key: number;
  is_marked: number;
  name: string;
  failed: number;
  is_output: number;
  is_missing: number;
  version: number | null;
  version_now: number;
}

function inputChange(row: JobFileRow, now: FileFacts): string | null {
  const change = fileChange(factsOf(row), now);
  return change === null ? null : `input file ${row.name} ${change}`;
}

/** An output that a failed job never wrote is not missing; one that it wrote can be. */
function outputChange(row: JobFileRow, now: FileFacts): string | null {
  if (now.sizeBytes !== -1 || row.is_marked === 1) return null;
  const wasThere = row.size_bytes === null ? row.failed === 0 : row.size_bytes >= 0;
  return wasThere ? `output file ${row.name} is missing` : null;
}

function userDataChange(row: JobDatumRow): string | null {
  if (row.is_output === 1) {
    return row.is_missing === 1 && row.failed === 0 && row.is_marked === 0
      ? `output user data ${row.name} is missing`
      : null;
  }
  return row.version !== null && row.version !== row.version_now ? `input user data ${row.name} changed` : null;
}

/** An ephemeral datum that a restart clears because a job can write it again. */
export interface EphemeralData {
  userDataKey: number;
  name: string;
  /** Jobs that write or read it. */
  jobKeys: number[];
}

export function ephemeralData(tx: Transaction, workflowKey: number): EphemeralData[] {
  const rows = tx.db.all<{ user_data_key: number; name: string; job_key: number }>(
    `SELECT u.user_data_key, u.name, ju.job_key FROM user_data u
     JOIN job_user_data ju ON ju.user_data_key = u.user_data_key
     WHERE u.workflow_key = ? AND u.is_ephemeral = 1 AND u.data IS NOT NULL AND EXISTS (
       SELECT 1 FROM job_user_data p JOIN jobs j ON j.job_key = p.job_key
       WHERE p.user_data_key = u.user_data_key AND p.is_output = 1 AND j.status <> 'disabled')
     ORDER BY u.user_data_key, ju.job_key`,
    workflowKey,
  );
  const found = new Map<number, EphemeralData>();
  for (const row of rows) {
    const userDataKey = row.user_data_key;
    const datum = found.get(userDataKey) ?? { userDataKey, name: row.name, jobKeys: [] };
    datum.jobKeys.push(row.job_key);
    found.set(userDataKey, datum);
  }
  return [...found.values()];
}

export function clearUserData(tx: Transaction, workflowKey: number, data: readonly EphemeralData[]): void {
  for (const { userDataKey, name } of data) {
    tx.db.run('UPDATE user_data SET data = NULL, version = version + 1 WHERE user_data_key = ?', userDataKey);
    tx.tell({ kind: 'user_data_written', workflowKey, userDataKey });
    tx.event({
      workflowKey,
      type: 'user_data_cleared',
      data: { user_data_key: String(userDataKey), name },
    });
  }
}

/** An input that no job is going to write, and a job that needs it. */
export interface MissingInput {
  what: string;
  jobName: string;
}

/** Missing inputs that a job of `willRun` needs and no job of `willEnd` is going to write. */
export function missingInputs(
  tx: Transaction,
  workflowKey: number,
  files: ReadonlyMap<number, FileFacts>,
  { willRun, willEnd }: { willRun: (jobKey: number) => boolean; willEnd: (jobKey: number) => boolean },
): MissingInput[] {
  const missing: MissingInput[] = [];
  const seen = new Set<string>();
  const check = (kind: string, row: InputRow, producers: ReadonlySet<number>): void => {
    const what = `${kind} ${row.name}${row.path === undefined ? '' : ` (${row.path})`}`;
    if (seen.has(what) || producers.has(row.key) || !willRun(row.job_key)) return;
    seen.add(what);
    missing.push({ what, jobName: row.job_name });
  };
  const absent = [...files].filter(([, facts]) => facts.sizeBytes === -1).map(([key]) => key);
  if (absent.length > 0) {
    const rows = tx.db.all<InputRow>(
      `SELECT jf.file_key AS key, jf.is_output, jf.job_key, f.name, f.path, j.name AS job_name FROM files f
       JOIN job_files jf ON jf.file_key = f.file_key JOIN jobs j ON j.job_key = jf.job_key
       WHERE f.file_key IN (SELECT value FROM json_each(?)) ORDER BY jf.file_key, jf.job_key`,
      JSON.stringify(absent),
    );
    const made = new Set(rows.filter((row) => row.is_output === 1 && willEnd(row.job_key)).map(({ key }) => key));
    for (const row of rows) if (row.is_output === 0) check('input file', row, made);
  }
  const rows = tx.db.all<InputRow>(
    `SELECT u.user_data_key AS key, u.name, ju.is_output, ju.job_key, j.name AS job_name FROM user_data u
     JOIN job_user_data ju ON ju.user_data_key = u.user_data_key JOIN jobs j ON j.job_key = ju.job_key
     WHERE u.workflow_key = ? AND u.data IS NULL ORDER BY u.user_data_key, ju.job_key`,
    workflowKey,
  );
  const made = new Set(rows.filter((row) => row.is_output === 1 && willEnd(row.job_key)).map(({ key }) => key));
  for (const row of rows) if (row.is_output === 0) check('user data', row, made);
  return missing;
}

/** A file or datum with one of the jobs that read or write it. */
interface InputRow {
  key: number;
  name: string;
  path?: string;
  is_output: number;
  job_key: number;
  job_name: string;
}
