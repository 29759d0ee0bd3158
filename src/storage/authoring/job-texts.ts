/** Commands and invocation scripts that replace those of a stored job: with the paths of the files that it declares. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Direction, substitute } from '../../model/expand/variables.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import { hasValueVariables, valueVariables, variableProblem } from '../../model/spec/values.ts';
import type { Transaction } from '../database/transaction.ts';
import type { JobRow } from './job-rows.ts';

type JobChanges = Request<'job_modify'>['changes'];

/** The changes with the paths of files in command and invocation script, as in a specification. */
export function resolved(tx: Transaction, job: JobRow, changes: JobChanges): JobChanges {
  const { command, invocation_script: script } = changes;
  const texts = { name: job.name, command: command ?? '', invocation_script: script ?? null };
  if (hasValueVariables(texts.command + (texts.invocation_script ?? ''))) {
    refuseUnknownValues(texts, upstreamNames(tx, job.job_key));
  }
  return {
    ...changes,
    ...(command === undefined ? {} : { command: withPaths(tx, job, command) }),
    ...(typeof script === 'string' ? { invocation_script: withPaths(tx, job, script) } : {}),
  };
}

/** Throws 'usage' for a name that the job does not declare: it would add a dependency. */
function withPaths(tx: Transaction, job: JobRow, text: string): string {
  const refuse = (message: string): never => {
    throw new TorcError(
      'usage',
      message,
      'What a job reads and writes, and so waits for, is set when the job is created.',
    );
  };
  const find = <R extends { name: string }>(kind: string, direction: Direction, name: string, declared: R[]): R => {
    const found = declared.find((row) => row.name === name);
    const meant = didYouMean(
      name,
      declared.map((row) => row.name),
    );
    return found ?? refuse(`job ${quoted(job.name)} has no ${direction} ${kind} ${quoted(name)}${meant}`);
  };
  return substitute(text, {
    file: (direction, name) => find('file', direction, name, declaredFiles(tx, job, direction)).path,
    userData: (direction, name) => find('user data', direction, name, declaredUserData(tx, job, direction)),
    refuse,
  });
}

function declaredFiles(tx: Transaction, job: JobRow, direction: Direction): { name: string; path: string }[] {
  return tx.db.all<{ name: string; path: string }>(
    `SELECT f.name, f.path FROM job_files d JOIN files f ON f.file_key = d.file_key
     WHERE d.job_key = ? AND d.is_output = ?`,
    job.job_key,
    direction === 'output' ? 1 : 0,
  );
}

function declaredUserData(tx: Transaction, job: JobRow, direction: Direction): { name: string }[] {
  return tx.db.all<{ name: string }>(
    `SELECT u.name FROM job_user_data d JOIN user_data u ON u.user_data_key = d.user_data_key
     WHERE d.job_key = ? AND d.is_output = ?`,
    job.job_key,
    direction === 'output' ? 1 : 0,
  );
}

/** Throws 'usage' when a text names the result value of a job that this one does not wait for. */
export function refuseUnknownValues(
  job: { name: string; command: string; invocation_script: string | null },
  upstreams: readonly string[],
): void {
  const known = { isEmpty: upstreams.length === 0, has: (name: string) => upstreams.includes(name) };
  for (const variable of valueVariables(`${job.command} ${job.invocation_script ?? ''}`)) {
    const problem = variableProblem(variable, known);
    if (problem === null) continue;
    const hint = 'What a job waits for is set when it is created: torc jobs add --depends-on NAME.';
    throw new TorcError('usage', `job ${quoted(job.name)}: ${problem}`, hint);
  }
}

function upstreamNames(tx: Transaction, jobKey: number): string[] {
  return tx.db
    .all<{ name: string }>(
      `WITH RECURSIVE near (node) AS (SELECT upstream FROM edges WHERE downstream = ?
         UNION SELECT e.upstream FROM near JOIN edges e ON e.downstream = near.node WHERE near.node < 0)
       SELECT j.name FROM near CROSS JOIN jobs j ON j.job_key = near.node`,
      jobKey,
    )
    .map((row) => row.name);
}
