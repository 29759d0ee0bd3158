/** The environment variables for Slurm's commands: pure functions of the caller's environment. */
import type { Environment } from '../base/config.ts';

export type Variables = Record<string, string>;

/** Variables that select the Slurm installation; all other Slurm variables describe an allocation. */
const siteVariables = new Set(['SLURM_CONF', 'SLURM_CONF_SERVER', 'SLURM_CLUSTERS', 'SLURM_JWT', 'SLURM_SACK_KEY']);

/** What torc sets for its jobs. In a nested allocation these would name the wrong job and attempt. */
const jobVariables = new Set([
  'TORC_ALLOCATION_START',
  'TORC_ATTEMPT_ID',
  'TORC_ATTEMPT_KEY',
  'TORC_JOB_DIR',
  'TORC_JOB_ID',
  'TORC_JOB_KEY',
  'TORC_JOB_NAME',
  'TORC_JOB_TOKEN_FILE',
  'TORC_OUTPUT_DIR',
  'TORC_RETURN_CODE',
  'TORC_RUN_ID',
  'TORC_WORKFLOW_ID',
  'TORC_WORKFLOW_KEY',
]);

/** Set by Slurm or torc for the devices of one allocation; meaningless in another one. */
const deviceVariables = new Set([
  'CUDA_VISIBLE_DEVICES',
  'GPU_DEVICE_ORDINAL',
  'ROCR_VISIBLE_DEVICES',
  'ZE_AFFINITY_MASK',
]);

/** Input variables of sbatch whose names do not follow from their option's. */
const irregularNames: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    array: ['SBATCH_ARRAY_INX'],
    gpus: ['SBATCH_GPUS'],
    mem: ['SBATCH_MEM_PER_NODE', 'SBATCH_MEM_PER_CPU', 'SBATCH_MEM_PER_GPU'],
    'mem-per-cpu': ['SBATCH_MEM_PER_NODE', 'SBATCH_MEM_PER_CPU', 'SBATCH_MEM_PER_GPU'],
    'mem-per-gpu': ['SBATCH_MEM_PER_NODE', 'SBATCH_MEM_PER_CPU', 'SBATCH_MEM_PER_GPU'],
    time: ['SBATCH_TIMELIMIT'],
  }),
);

/** The long names of short options that are allowed in a Slurm config's extra options. */
const longNames: Readonly<Record<string, string>> = {
  A: 'account',
  C: 'constraint',
  G: 'gpus',
  p: 'partition',
  q: 'qos',
};

/** Variables that would change the submission whatever the script says. */
const neverToSbatch = new Set([
  'SBATCH_ARRAY_INX',
  'SBATCH_TEST_ONLY',
  'SBATCH_WAIT',
  'SBATCH_CLUSTERS',
  'SBATCH_DEBUG',
]);

function kept(env: Environment, keep: (name: string) => boolean): Variables {
  const variables: Variables = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined && keep(name)) variables[name] = value;
  return variables;
}

/**
 * For squeue, sacct, scancel, scontrol and sinfo: without the variables that change formats, filters and prompts
 * (SQUEUE_FORMAT, SCANCEL_INTERACTIVE ..), with English words and instants in UTC.
 */
export function queryVariables(env: Environment): Variables {
  const foreign = /^(SLURM|SLURMD|SQUEUE|SACCT|SCANCEL|SCONTROL|SINFO|SBATCH|SRUN)_|^(LC_|LANG$|LANGUAGE$)/;
  const variables = kept(env, (name) => siteVariables.has(name) || !foreign.test(name));
  return { ...variables, LC_ALL: 'C', TZ: 'UTC', SLURM_TIME_FORMAT: 'standard' };
}

/** The input variables of sbatch that would override what the script's directives say. */
export function overridingVariables(script: string): Set<string> {
  const names = new Set(neverToSbatch);
  for (const match of script.matchAll(/^#SBATCH\s+"?-(?:-([A-Za-z-]+)|([A-Za-z]))/gm)) {
    const option = match[1] ?? longNames[match[2] ?? ''];
    if (option === undefined) continue;
    names.add(`SBATCH_${option.toUpperCase().replaceAll('-', '_')}`);
    for (const name of irregularNames.get(option) ?? []) names.add(name);
  }
  return names;
}

/**
 * For sbatch, whose whole environment Slurm passes to the script: the caller's, without what an enclosing allocation or
 * job has set, and without defaults of sbatch that contradict the script. Language and time zone stay, because jobs get
 * them too.
 */
export function submitVariables(env: Environment, script: string): Variables {
  const overriding = overridingVariables(script);
  const isNested = env.SLURM_JOB_ID !== undefined;
  return kept(env, (name) => {
    if (siteVariables.has(name)) return true;
    if (/^(SLURM|SLURMD|SRUN)_/.test(name) || jobVariables.has(name) || overriding.has(name)) return false;
    return !(isNested && deviceVariables.has(name));
  });
}
