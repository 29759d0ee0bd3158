/** Changing how the process of a stored job is started. */
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { environmentDifferences, environmentProblem, type Launch } from '../../model/launch.ts';
import { quoted } from '../../model/spec/names.ts';

type LaunchChanges = Pick<Request<'job_modify'>['changes'], 'env' | 'stdio' | 'cwd'>;

/** What changes, and the launch after it; null takes away what the job states. Throws 'usage' for too many variables. */
export function changedLaunch(
  job: { name: string },
  before: Launch,
  { env = {}, stdio, cwd }: LaunchChanges,
): { fields: ChangedField[]; after: Launch } {
  const variables = Object.entries({ ...before.env, ...env });
  const after = {
    ...before,
    env: Object.fromEntries(variables.flatMap(([name, value]) => (value === null ? [] : [[name, value]]))),
    stdio: stdio === undefined ? before.stdio : (stdio ?? undefined),
    cwd: cwd === undefined ? before.cwd : (cwd ?? undefined),
  };
  const problem = environmentProblem(after.env);
  if (problem !== null) throw new TorcError('usage', `job ${quoted(job.name)} then ${problem}`);
  const fields: ChangedField[] = environmentDifferences(before.env ?? {}, after.env);
  for (const field of ['stdio', 'cwd'] as const) {
    if (before[field] === after[field]) continue;
    fields.push({ field, old_value: before[field] ?? null, new_value: after[field] ?? null });
  }
  return { fields, after };
}
