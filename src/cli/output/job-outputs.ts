/** Jobs with the places of their output, and which of their attempts is meant. */
import type { Api, JobOutputs } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';

export interface LogsOptions {
  stdout?: boolean;
  stderr?: boolean;
  follow?: boolean;
  tail?: number;
  attempt?: number;
  run?: number;
}

export const pieceBytes = 1024 * 1024;

/** Whether earlier attempts are of interest too. */
export function needsAll({ attempt, run }: LogsOptions): boolean {
  return attempt !== undefined || run !== undefined;
}

/** The jobs with these keys, page by page. Throws TorcError 'not_found'. */
export async function readOutputs(api: Api, keys: readonly string[], all: boolean): Promise<JobOutputs[]> {
  const found: JobOutputs[] = [];
  for (let at = 0; at < keys.length; at += limits.outputsPage) {
    const job_keys = keys.slice(at, at + limits.outputsPage);
    const request = { workflow_key: null, job_keys, all_attempts: all, after: null, limit: limits.outputsPage };
    found.push(...(await api.call('jobs_outputs', request)).jobs);
  }
  return found;
}

/** The newest attempt that was asked for; null when there is none. */
export function chosenAttempt(
  { attempts }: JobOutputs,
  { run, attempt }: LogsOptions,
): JobOutputs['attempts'][number] | null {
  const isMeant = (each: JobOutputs['attempts'][number]): boolean =>
    (run ?? each.run_id) === each.run_id && (attempt ?? each.attempt_id) === each.attempt_id;
  return attempts.filter(isMeant).at(-1) ?? null;
}
