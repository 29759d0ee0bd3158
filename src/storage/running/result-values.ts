/**
 * Result values: kept with the attempt that left them, given to the jobs that wait for its job. A value counts while
 * its job is done; a rerun has a new attempt, so it replaces the value.
 */
import { createHash } from 'node:crypto';
import type { Assignment, Request } from '../../api/contract.ts';
import { type Json, jsonText, parseJson } from '../../base/exact-json.ts';
import {
  fillValues,
  hasValueVariables,
  type Input,
  inputsDocument,
  mostInputsBytes,
  resultProblem,
} from '../../model/spec/values.ts';
import type { Transaction } from '../database/transaction.ts';
import { inDeclaredOrder } from './upstream-orders.ts';

type Finished = Request<'exchange'>['finished'][number];

/** Stores the result value of an attempt that succeeded. */
export function storeResult(tx: Transaction, workflowKey: number, attemptKey: number, result: Json): void {
  tx.db.run('UPDATE attempts SET result = ? WHERE attempt_key = ?', jsonText(result), attemptKey);
  noteResults(tx, workflowKey);
}

/** From now on the jobs of the workflow are asked what their upstream jobs have left. */
export function noteResults(tx: Transaction, workflowKey: number): void {
  tx.remembered(`results of ${workflowKey}`, () => {
    tx.db.run('UPDATE workflows SET has_results = 1 WHERE workflow_key = ? AND has_results = 0', workflowKey);
    return true;
  });
}

/** The report of a job's end as it counts: one with a value that nobody could read fails. Workers send none. */
export function withSoundResult(report: Finished): Finished {
  if (report.result === undefined || report.return_code !== 0) return report;
  const problem = resultProblem(report.result);
  if (problem === null) return report;
  const detail = `it ended with return code 0 but wrote a result value that ${problem}`;
  return { ...report, return_code: 1, cause: 'missing_output', detail };
}

/** Of the inputs and environment variables in one reply to a worker, in bytes. */
const mostReplyBytes = 8 * 1024 * 1024;

/**
 * Assignments of one worker with the result values of their upstream jobs; the last ones are left for its next request
 * when the values are too many for one reply. A job whose command names a value that is not there is refused. Remembers
 * what each was given, so that a restart sees what has changed.
 */
export function withInputs(tx: Transaction, workflowKey: number, assignments: Assignment[]): Assignment[] {
  if (assignments.length === 0) return assignments;
  const sql = 'SELECT has_results FROM workflows WHERE workflow_key = ?';
  const hasResults = tx.db.get<{ has_results: number }>(sql, workflowKey)?.has_results === 1;
  const given: Assignment[] = [];
  let bytes = 0;
  for (const assignment of assignments) {
    const names = hasValueVariables(assignment.command) || hasValueVariables(assignment.invocation_script ?? '');
    const filled = hasResults || names ? withOwnInputs(tx, workflowKey, assignment) : assignment;
    bytes += Buffer.byteLength(filled.inputs ?? '') + environmentBytes(filled);
    if (bytes > mostReplyBytes) break;
    given.push(filled);
  }
  return given;
}

function environmentBytes({ env }: Assignment): number {
  return env === undefined ? 0 : Buffer.byteLength(JSON.stringify(env));
}

function withOwnInputs(tx: Transaction, workflowKey: number, assignment: Assignment): Assignment {
  const jobKey = Number(assignment.job_key);
  const { rows, bytes } = upstreamRows(tx, jobKey);
  if (rows.length > 0) {
    tx.db.run('UPDATE attempts SET inputs_digest = ? WHERE attempt_key = ?', digestOf(rows), assignment.attempt);
  }
  const inputs = rows.map(inputOf);
  const filled = filledTexts(assignment, inputs);
  if (rows.length === 0) return { ...assignment, ...filled };
  if (bytes <= mostInputsBytes) return { ...assignment, ...filled, inputs: jsonText(inputsDocument(inputs)) };
  const data = { num_values: rows.length, bytes, limit: mostInputsBytes };
  tx.event({ workflowKey, type: 'inputs_too_large', jobKey, attemptKey: assignment.attempt, data });
  return { ...assignment, ...filled, inputs: null };
}

function filledTexts(
  { command, invocation_script: script }: Assignment,
  inputs: readonly Input[],
): Partial<Pick<Assignment, 'command' | 'invocation_script' | 'variables' | 'refusal'>> {
  const own = fillValues(command, inputs);
  if ('problem' in own) return { refusal: own.problem };
  const before = fillValues(script ?? '', inputs, 1 + Object.keys(own.variables).length);
  if ('problem' in before) return { refusal: before.problem };
  const variables = { ...own.variables, ...before.variables };
  if (Object.keys(variables).length === 0) return {};
  return { command: own.text, invocation_script: script === null ? null : before.text, variables };
}

interface UpstreamRow {
  jobKey: number;
  name: string;
  result: string;
}

/** The upstream jobs of a job that have left a value, in the order in which it declares them. */
function upstreamRows(tx: Transaction, jobKey: number): { rows: UpstreamRow[]; bytes: number } {
  const found = tx.db.all<UpstreamRow>(
    `WITH RECURSIVE near (node) AS (SELECT upstream FROM edges WHERE downstream = ?
       UNION SELECT e.upstream FROM near JOIN edges e ON e.downstream = near.node WHERE near.node < 0)
     SELECT j.job_key AS jobKey, j.name, a.result FROM near CROSS JOIN jobs j ON j.job_key = near.node
     CROSS JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.status = 'done' AND a.result IS NOT NULL ORDER BY j.job_key`,
    jobKey,
  );
  const rows = found.length < 2 ? found : inDeclaredOrder(tx, jobKey, found);
  return { rows, bytes: rows.reduce((sum, { result }) => sum + Buffer.byteLength(result), 0) };
}

/** The result values that a job would find in its file of inputs. */
export function resultsOfUpstreams(tx: Transaction, jobKey: number): Input[] {
  return upstreamRows(tx, jobKey).rows.map(inputOf);
}

function inputOf({ name, result }: UpstreamRow): Input {
  return { name, value: parseJson(result) as Json };
}

function digestOf(rows: readonly UpstreamRow[]): string {
  const hash = createHash('sha256');
  for (const { name, result } of rows) hash.update(JSON.stringify([name, result]));
  return hash.digest('hex').slice(0, 32);
}

/**
 * Done jobs that were given other result values than their upstream jobs have now. Only a job with an upstream whose
 * attempt came later than its own can be one.
 */
export function jobsWithOtherInputs(tx: Transaction, workflowKey: number): number[] {
  const sql = 'SELECT has_results FROM workflows WHERE workflow_key = ?';
  if (tx.db.get<{ has_results: number }>(sql, workflowKey)?.has_results !== 1) return [];
  const candidates = tx.db.all<{ jobKey: number; digest: string | null }>(
    `WITH last (node, attempt_key) AS MATERIALIZED (
       SELECT job_key, attempt_key FROM jobs WHERE workflow_key = ? AND attempt_key IS NOT NULL
       UNION ALL SELECT -b.barrier_key, max(u.attempt_key) FROM barriers b
         JOIN edges e ON e.downstream = -b.barrier_key JOIN jobs u ON u.job_key = e.upstream
         WHERE b.workflow_key = ? GROUP BY b.barrier_key)
     SELECT j.job_key AS jobKey, a.inputs_digest AS digest FROM last CROSS JOIN edges e ON e.upstream = last.node
       CROSS JOIN jobs j ON j.job_key = e.downstream CROSS JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.status = 'done' AND last.attempt_key > j.attempt_key AND a.cause IS NOT 'marked'
     GROUP BY j.job_key ORDER BY j.job_key`,
    workflowKey,
    workflowKey,
  );
  return candidates.flatMap(({ jobKey, digest }) => {
    const { rows } = upstreamRows(tx, jobKey);
    return (rows.length === 0 ? null : digestOf(rows)) === digest ? [] : [jobKey];
  });
}
