/**
 * Resource requirements that come from data: set when a job would become ready. A job whose data is missing or makes no
 * sense gets a hold with the reason; it falls when the data or the job changes, and with a restart.
 */

import { type Json, parseJson } from '../../base/exact-json.ts';
import type { FromData } from '../../model/job.ts';
import { needFromData } from '../../model/spec/needs-from-data.ts';
import type { Input } from '../../model/spec/values.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from './added-shapes.ts';
import { holdJob, needsHold } from './holds.ts';
import { resultsOfUpstreams } from './result-values.ts';
import { findShape, needOf } from './shapes.ts';

/** Stores the texts of fields that come from data; none takes them away. */
export function storeFromData(
  tx: Transaction,
  workflowKey: number,
  requirementsKey: number,
  fields: FromData | null,
): void {
  tx.db.run('DELETE FROM requirements_from_data WHERE resource_requirements_key = ?', requirementsKey);
  if (fields === null) return;
  const sql = 'INSERT INTO requirements_from_data (resource_requirements_key, workflow_key, fields) VALUES (?, ?, ?)';
  tx.db.run(sql, requirementsKey, workflowKey, JSON.stringify(fields));
}

/** The texts of requirements that come from data; null when none does. */
export function fromDataOf(tx: Transaction, requirementsKey: number): FromData | null {
  const sql = 'SELECT fields FROM requirements_from_data WHERE resource_requirements_key = ?';
  const row = tx.db.get<{ fields: string }>(sql, requirementsKey);
  return row === undefined ? null : (JSON.parse(row.fields) as FromData);
}

interface NeedyJob {
  jobKey: number;
  workflowKey: number;
}

/** Sets what a job that would become ready asks for; returns whether it has to wait for that instead. */
export function waitsForNeed(tx: Transaction, job: NeedyJob): boolean {
  const problem = setNeed(tx, job);
  if (problem !== null) hold(tx, job, problem);
  return problem !== null;
}

/** Sets what a job asks for, as far as that comes from data; returns what is wrong with the data, or null. */
export function setNeed(tx: Transaction, job: NeedyJob): string | null {
  if (!hasNeedsFromData(tx, job.workflowKey)) return null;
  const sql = 'SELECT resource_requirements_key AS key, shape_key AS shapeKey FROM jobs WHERE job_key = ?';
  const row = tx.db.get<{ key: number | null; shapeKey: number }>(sql, job.jobKey);
  const fields = row?.key == null ? null : fromDataOf(tx, row.key);
  if (row?.key == null || fields === null) return null;
  const found = needFromData(needOf(tx, row.key), fields, {
    inputs: resultsOfUpstreams(tx, job.jobKey),
    userData: readData(tx, job.jobKey),
  });
  if ('problem' in found) return found.problem;
  const shapeKey = addShape(tx, job.workflowKey, { ...findShape(tx, row.shapeKey), need: found.need });
  if (shapeKey !== row.shapeKey) tx.db.run('UPDATE jobs SET shape_key = ? WHERE job_key = ?', shapeKey, job.jobKey);
  return null;
}

/** Does the same for jobs in a range of keys that a first start would make ready. */
export function holdUnknownNeeds(tx: Transaction, workflowKey: number, after: number, last: number): void {
  if (!hasNeedsFromData(tx, workflowKey)) return;
  const jobs = tx.db.all<{ jobKey: number }>(
    `SELECT j.job_key AS jobKey FROM jobs j
     JOIN requirements_from_data d ON d.resource_requirements_key = j.resource_requirements_key
     WHERE j.workflow_key = ? AND j.job_key > ? AND j.job_key <= ? AND j.status = 'uninitialized' AND j.num_blockers = 0`,
    workflowKey,
    after,
    last,
  );
  for (const { jobKey } of jobs) waitsForNeed(tx, { jobKey, workflowKey });
}

function hasNeedsFromData(tx: Transaction, workflowKey: number): boolean {
  return tx.remembered(`requirements of ${workflowKey} from data`, () => {
    return tx.db.get('SELECT 1 FROM requirements_from_data WHERE workflow_key = ? LIMIT 1', workflowKey) !== undefined;
  });
}

function hold(tx: Transaction, { jobKey, workflowKey }: NeedyJob, problem: string): void {
  if (needsHold(tx, jobKey) !== null) return;
  holdJob(tx, { jobKey, workflowKey }, 'requirements', null, problem);
  tx.event({ workflowKey, jobKey, type: 'requirements_unknown', data: { problem } });
}

function readData(tx: Transaction, jobKey: number): Input[] {
  return tx.db
    .all<{ name: string; data: string }>(
      `SELECT u.name, u.data FROM job_user_data ju JOIN user_data u ON u.user_data_key = ju.user_data_key
       WHERE ju.job_key = ? AND ju.is_output = 0 AND u.data IS NOT NULL ORDER BY u.user_data_key`,
      jobKey,
    )
    .map(({ name, data }) => ({ name, value: parseJson(data) as Json }));
}
