/** How the processes of jobs are started: what the workflow says, and over it what a job states itself. */
import type { Assignment } from '../../api/contract.ts';
import { type Environment, type Execution, type Launch, launchKeys } from '../../model/launch.ts';
import type { Transaction } from '../database/transaction.ts';

/** As a new row has it: null for none. */
export function storedEnvironment(env: Environment | undefined): string | null {
  return env === undefined || Object.keys(env).length === 0 ? null : JSON.stringify(env);
}

export function readEnvironment(stored: string | null | undefined): Environment {
  return stored == null ? {} : (JSON.parse(stored) as Environment);
}

/** What requests state about a job's launch, under the names of the contract. */
export function statedLaunch(request: Launch): Launch {
  const { env, ...stated }: Launch = Object.fromEntries(launchKeys.map((key) => [key, request[key]]));
  return env !== undefined && Object.keys(env).length > 0 ? { env, ...stated } : stated;
}

/** What a job states; a job that is already stored keeps its own. */
export function addJobLaunch(tx: Transaction, workflowKey: number, jobKey: number, stated: Launch): void {
  if (launchKeys.every((key) => stated[key] === undefined)) return;
  const launch = JSON.stringify(statedLaunch(stated));
  if (launch === '{}') return;
  tx.db.run('INSERT OR IGNORE INTO job_launch (job_key, launch) VALUES (?, ?)', jobKey, launch);
  tx.remembered(`launch of ${workflowKey}`, () => {
    tx.db.run('UPDATE workflows SET has_job_launch = 1 WHERE workflow_key = ? AND has_job_launch = 0', workflowKey);
    return true;
  });
}

/** Replaces what a job states. */
export function replaceJobLaunch(tx: Transaction, jobKey: number, stated: Launch): void {
  const job = tx.db.get<{ workflow_key: number }>('SELECT workflow_key FROM jobs WHERE job_key = ?', jobKey);
  deleteJobLaunch(tx, jobKey);
  if (job !== undefined) addJobLaunch(tx, job.workflow_key, jobKey, stated);
}

export function deleteJobLaunch(tx: Transaction, jobKey: number): void {
  tx.db.run('DELETE FROM job_launch WHERE job_key = ?', jobKey);
}

export function readLaunch(stored: string | null | undefined): Launch {
  return stored == null ? {} : (JSON.parse(stored) as Launch);
}

export function jobLaunch(tx: Transaction, jobKey: number): Launch {
  const sql = 'SELECT launch FROM job_launch WHERE job_key = ?';
  return readLaunch(tx.db.get<{ launch: string }>(sql, jobKey)?.launch);
}

export function workflowEnvironment(tx: Transaction, workflowKey: number): Environment {
  const sql = 'SELECT env FROM workflows WHERE workflow_key = ?';
  return readEnvironment(tx.db.get<{ env: string | null }>(sql, workflowKey)?.env);
}

interface SharedLaunch {
  env: string | null;
  has_job_launch: number;
  pin: number;
  execution: Execution;
}

/** Tells each assignment of one worker how its process is started, where that is said at all. */
export function setLaunch(tx: Transaction, workflowKey: number, assignments: readonly Assignment[]): void {
  if (assignments.length === 0) return;
  const sql = 'SELECT env, has_job_launch, pin, execution FROM workflows WHERE workflow_key = ?';
  const row = tx.db.get<SharedLaunch>(sql, workflowKey);
  const isPlain = row?.env === null && row.has_job_launch === 0 && row.pin === 0 && row.execution === 'direct';
  if (row === undefined || isPlain) return;
  const shared = readEnvironment(row.env);
  const common: Launch = {
    ...(row.pin === 1 ? { pin: true } : {}),
    ...(row.execution === 'direct' ? {} : { execution: row.execution }),
  };
  for (const assignment of assignments) {
    const { env: own, ...launch } = row.has_job_launch === 0 ? {} : jobLaunch(tx, Number(assignment.job_key));
    const env = { ...shared, ...own };
    if (Object.keys(env).length > 0) assignment.env = env;
    Object.assign(assignment, common, launch);
  }
}
