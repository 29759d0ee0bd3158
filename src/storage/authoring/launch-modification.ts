/** Changing how the process of a stored job is started. */
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Environment, environmentDifferences, environmentProblem, type Launch } from '../../model/launch.ts';
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

/** Throws 'usage' for a variable that is to go from a job although the workflow sets it: the job would still have it. */
export function refuseUnsetting(
  job: { name: string; workflow_key: number },
  { env: own = {} }: Launch,
  ofWorkflow: Environment,
  { env = {} }: LaunchChanges,
): void {
  const unset = Object.keys(env).filter((name) => env[name] === null);
  const name = unset.find((each) => !Object.hasOwn(own, each) && Object.hasOwn(ofWorkflow, each));
  if (name === undefined) return;
  throw new TorcError(
    'usage',
    `job ${quoted(job.name)} has the variable ${name} from its workflow, not of its own`,
    `Give the job another value with --env ${name}=.., or change it for all jobs: torc workflows modify ${job.workflow_key} --unset-env ${name}`,
  );
}
