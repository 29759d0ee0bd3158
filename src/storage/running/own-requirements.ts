/** Requirements without a name belong to a single job: they say what it asks for when that is its own. */
import type { FromData, Requirements } from '../../model/job.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from './added-shapes.ts';
import { storeFromData } from './needs-from-data.ts';
import { plainRequest } from './shapes.ts';

export function setRequirementsShape(tx: Transaction, requirementsKey: number, shapeKey: number): void {
  const sql = 'UPDATE resource_requirements SET shape_key = ? WHERE resource_requirements_key = ?';
  tx.db.run(sql, shapeKey, requirementsKey);
}

interface RequiringJob {
  job_key: number;
  workflow_key: number;
  resource_requirements_key: number | null;
}

/** Gives a job requirements of its own; `fromData` are those fields that still come from data. */
export function giveOwnRequirements(
  tx: Transaction,
  { job_key: jobKey, workflow_key: workflowKey, resource_requirements_key: before }: RequiringJob,
  need: Requirements,
  fromData: FromData | null,
): void {
  const shapeKey = addShape(tx, workflowKey, plainRequest(need));
  let key = before;
  if (key !== null && isOwn(tx, key)) setRequirementsShape(tx, key, shapeKey);
  else {
    const sql = 'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, NULL, ?)';
    key = tx.db.run(sql, workflowKey, shapeKey).key;
    tx.db.run('UPDATE jobs SET resource_requirements_key = ? WHERE job_key = ?', key, jobKey);
  }
  storeFromData(tx, workflowKey, key, fromData);
}

function isOwn(tx: Transaction, key: number): boolean {
  const sql = 'SELECT 1 FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NULL';
  return tx.db.get(sql, key) !== undefined;
}
