/**
 * User data: JSON documents in the database that jobs read and write. The version of one goes up whenever its content
 * changes; a job remembers the versions that it was given, so that a restart sees what has changed.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Assignment, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText, parseJson } from '../../base/exact-json.ts';
import { quoted } from '../../model/spec/names.ts';
import { fillInputs, userDataProblem } from '../../model/spec/user-data.ts';
import type { Transaction } from '../database/transaction.ts';
import { refuseUsed } from './declared-uses.ts';
import { askNeedsAgain } from './transitions.ts';
import { getWorkflow } from './workflows.ts';

type Finished = Request<'exchange'>['finished'][number];
type NewUserData = Pick<Request<'user_data_add'>, 'name' | 'data' | 'is_ephemeral'>;

/** Stores a new datum, under its reserved key if it has one; a repeated one with a key changes nothing. */
export function storeUserData(
  tx: Transaction,
  workflowKey: number,
  { name, data, is_ephemeral }: NewUserData,
  reservedKey: number | null = null,
): number {
  const { key } = tx.db.run(
    `INSERT INTO user_data (user_data_key, workflow_key, name, data, is_ephemeral) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (user_data_key) DO NOTHING`,
    reservedKey,
    workflowKey,
    name,
    storedJson(name, data),
    is_ephemeral ? 1 : 0,
  );
  return reservedKey ?? key;
}

/** Null means that there is no value yet. Throws 'usage' for what is too large. */
function storedJson(name: string, data: unknown): string | null {
  const problem = userDataProblem(data);
  if (problem !== null) {
    throw new TorcError('usage', `user data ${quoted(name)} ${problem}`);
  }
  return data === null ? null : jsonText(data);
}

/** Adds a datum to a workflow; throws 'conflict' when the name is taken. */
export function addUserData(tx: Transaction, request: Request<'user_data_add'>): number {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(tx, workflowKey);
  const { name } = request;
  const taken = tx.db.get(
    'SELECT user_data_key AS key FROM user_data WHERE workflow_key = ? AND name = ?',
    workflowKey,
    name,
  );
  if (taken !== undefined) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} already has user data ${quoted(name)} (key ${taken.key})`,
      `torc -k ${workflowKey} user-data modify ${taken.key} --data JSON`,
    );
  }
  const key = storeUserData(tx, workflowKey, request);
  tx.tell({ kind: 'user_data_written', workflowKey, userDataKey: key });
  tx.event({ workflowKey, type: 'user_data_added', data: { user_data_key: String(key), name } });
  return key;
}

interface StoredUserData {
  userDataKey: number;
  workflowKey: number;
  name: string;
  data: string | null;
  isEphemeral: boolean;
  version: number;
}

interface UserDataRow {
  workflow_key: number;
  name: string;
  data: string | null;
  is_ephemeral: number;
  version: number;
}

function getUserData(tx: Transaction, userDataKey: number): StoredUserData {
  const row = tx.db.get<UserDataRow>('SELECT * FROM user_data WHERE user_data_key = ?', userDataKey);
  if (row === undefined) {
    throw new TorcError('not_found', `there is no user data ${userDataKey}`, 'torc user-data list');
  }
  getWorkflow(tx, row.workflow_key);
  return {
    userDataKey,
    workflowKey: row.workflow_key,
    name: row.name,
    data: row.data,
    isEphemeral: row.is_ephemeral === 1,
    version: row.version,
  };
}

/** Changes the document or the flag; returns whether the document changed, and its version. */
export function modifyUserData(
  tx: Transaction,
  request: Request<'user_data_modify'>,
): { name: string; isChanged: boolean; version: number } {
  const before = getUserData(tx, Number(request.user_data_key));
  const { userDataKey, workflowKey, name } = before;
  const { data, is_ephemeral: isEphemeral = before.isEphemeral } = request.changes;
  const isChanged = data !== undefined && replaceData(tx, before, storedJson(name, data));
  tx.db.run('UPDATE user_data SET is_ephemeral = ? WHERE user_data_key = ?', isEphemeral ? 1 : 0, userDataKey);
  const version = before.version + (isChanged ? 1 : 0);
  if (isChanged || isEphemeral !== before.isEphemeral) {
    const now = { version, is_changed: isChanged, is_ephemeral: isEphemeral };
    tx.event({ workflowKey, type: 'user_data_modified', data: { user_data_key: String(userDataKey), name, ...now } });
  }
  return { name, isChanged, version };
}

/** Stores a document and raises the version; the same document, however it is written, changes nothing. */
function replaceData(
  tx: Transaction,
  { workflowKey, userDataKey, data }: Pick<StoredUserData, 'workflowKey' | 'userDataKey' | 'data'>,
  next: string | null,
): boolean {
  if (next === data || (next !== null && data !== null && isDeepStrictEqual(parseJson(next), parseJson(data)))) {
    return false;
  }
  tx.db.run('UPDATE user_data SET data = ?, version = version + 1 WHERE user_data_key = ?', next, userDataKey);
  tx.tell({ kind: 'user_data_written', workflowKey, userDataKey });
  askNeedsAgain(tx, workflowKey);
  return true;
}

/** Deletes a datum that no job reads or writes; throws 'conflict' naming those that do. Returns its name. */
export function deleteUserData(tx: Transaction, userDataKey: number): string {
  const { workflowKey, name } = getUserData(tx, userDataKey);
  const hint = `torc -k ${workflowKey} user-data modify ${userDataKey} --data null removes only the data.`;
  refuseUsed(
    tx,
    { what: `user data ${quoted(name)}`, table: 'job_user_data', column: 'user_data_key', key: userDataKey },
    hint,
  );
  tx.db.run('DELETE FROM user_data WHERE user_data_key = ?', userDataKey);
  tx.event({ workflowKey, type: 'user_data_deleted', data: { user_data_key: String(userDataKey), name } });
  return name;
}

function hasUserData(tx: Transaction, workflowKey: number): boolean {
  return tx.db.get('SELECT 1 FROM user_data WHERE workflow_key = ? LIMIT 1', workflowKey) !== undefined;
}

/** Jobs that were just claimed remember the versions of what they read. */
export function rememberInputVersions(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): void {
  if (jobKeys.length === 0 || !hasUserData(tx, workflowKey)) return;
  for (const jobKey of jobKeys) {
    tx.db.run(
      `UPDATE job_user_data SET version =
         (SELECT u.version FROM user_data u WHERE u.user_data_key = job_user_data.user_data_key)
       WHERE job_key = ? AND is_output = 0`,
      jobKey,
    );
  }
}

/** Assignments of one worker with the user data that their commands read, and the names of what they must write. */
export function withUserData(tx: Transaction, computeNodeKey: number, assignments: Assignment[]): Assignment[] {
  if (assignments.length === 0) return assignments;
  const sql = 'SELECT workflow_key FROM compute_nodes WHERE compute_node_key = ?';
  const workflowKey = tx.db.get<{ workflow_key: number }>(sql, computeNodeKey)?.workflow_key ?? 0;
  if (!hasUserData(tx, workflowKey)) return assignments;
  const jsonOf = (name: string): string | null => {
    const query = 'SELECT data FROM user_data WHERE workflow_key = ? AND name = ?';
    const row = tx.db.get<{ data: string | null }>(query, workflowKey, name);
    return row === undefined ? null : (row.data ?? 'null');
  };
  return assignments.map((assignment) => {
    const { command, invocation_script: script } = assignment;
    const outputs = declaredOutputs(tx, Number(assignment.job_key)).map(({ name }) => name);
    return {
      ...assignment,
      command: fillInputs(command, jsonOf),
      invocation_script: script === null ? null : fillInputs(script, jsonOf),
      ...(outputs.length === 0 ? {} : { output_user_data: outputs }),
    };
  });
}

function declaredOutputs(tx: Transaction, jobKey: number): Pick<StoredUserData, 'userDataKey' | 'name' | 'data'>[] {
  return tx.db.all<Pick<StoredUserData, 'userDataKey' | 'name' | 'data'>>(
    `SELECT u.user_data_key AS userDataKey, u.name, u.data FROM job_user_data d
     JOIN user_data u ON u.user_data_key = d.user_data_key WHERE d.job_key = ? AND d.is_output = 1
     ORDER BY u.user_data_key`,
    jobKey,
  );
}

/**
 * Stores what a job wrote; returns the names of declared outputs that are missing. Anything else that it sent is
 * ignored, with an event.
 */
export function storeOutputs(
  tx: Transaction,
  job: { jobKey: number; workflowKey: number },
  written: Finished['user_data'],
): string[] {
  const declared = declaredOutputs(tx, job.jobKey);
  const missing: string[] = [];
  for (const output of declared) {
    // the worker may have sent one twice: the last counts
    const data = written?.findLast(({ name }) => name === output.name)?.data ?? null;
    const problem = userDataProblem(data);
    if (problem !== null) missing.push(`${quoted(output.name)} (it ${problem})`);
    else if (data !== null) replaceData(tx, { ...output, workflowKey: job.workflowKey }, jsonText(data));
    else if (output.data === null) missing.push(quoted(output.name));
  }
  const ignored = (written ?? []).map(({ name }) => name).filter((name) => !declared.some((d) => d.name === name));
  if (ignored.length > 0) tx.event({ ...job, type: 'user_data_ignored', data: { names: ignored } });
  return missing;
}

/**
 * The report of a job's end as it counts: with return code 0, stores what the job wrote; missing outputs fail the job.
 */
export function withStoredOutputs(
  tx: Transaction,
  { jobKey, workflowKey }: { jobKey: number; workflowKey: number },
  report: Finished,
): Finished {
  if (report.status !== 'done' || report.return_code !== 0) return report;
  // asked once for all reports of a batch, which come before any other write
  const isConcerned = tx.remembered(`user data of ${workflowKey}`, () => hasUserData(tx, workflowKey));
  if (!isConcerned && report.user_data === undefined) return report;
  const missing = storeOutputs(tx, { jobKey, workflowKey }, report.user_data);
  if (missing.length === 0) return report;
  const detail = `it ended with return code 0 but did not write its user data ${missing.join(', ')}`;
  return { ...report, return_code: 1, cause: 'missing_output', detail };
}
