/** How the process of a job is started, besides its command: what a specification may state about it. */

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string>>;

/**
 * Where the output of jobs goes. `files`: two files for each attempt; `combined`: one compressed file for each worker;
 * `per-job`: one file for each attempt; `no-stdout`, `no-stderr`: only the other one; `none`: nowhere. `on-failure`, and
 * those that end like it: files, removed when the job ends with 0.
 */
export const stdioModes = [
  ...(['files', 'combined', 'on-failure', 'none', 'per-job', 'no-stdout', 'no-stderr'] as const),
  ...(['per-job-on-failure', 'no-stdout-on-failure', 'no-stderr-on-failure'] as const),
] as const;
export type StdioMode = (typeof stdioModes)[number];

/** What a mode keeps while the job runs, and whether that goes when the job succeeds. */
export function stdioParts(mode: StdioMode): { output: StdioOutput; isForFailures: boolean } {
  switch (mode) {
    case 'on-failure':
      return { output: 'files', isForFailures: true };
    case 'per-job-on-failure':
      return { output: 'per-job', isForFailures: true };
    case 'no-stdout-on-failure':
      return { output: 'no-stdout', isForFailures: true };
    case 'no-stderr-on-failure':
      return { output: 'no-stderr', isForFailures: true };
    default:
      return { output: mode, isForFailures: false };
  }
}

/** Modes of output that stays. */
export const stdioOutputs = ['files', 'combined', 'none', 'per-job', 'no-stdout', 'no-stderr'] as const;
export type StdioOutput = (typeof stdioOutputs)[number];

/** What torc 1.0 calls them: `combined` is one log for each job. */
export const torcStdioModes = ['separate', 'combined', 'no_stdout', 'no_stderr', 'none'] as const;

/** As torc 1.0 writes it; `none` has nothing to remove. */
export interface TorcStdio {
  mode?: (typeof torcStdioModes)[number] | null | undefined;
  delete_on_success?: boolean | null | undefined;
}

export function modeOf({ mode, delete_on_success: isForFailures }: TorcStdio): StdioMode {
  switch (mode) {
    case 'combined':
      return isForFailures === true ? 'per-job-on-failure' : 'per-job';
    case 'no_stdout':
      return isForFailures === true ? 'no-stdout-on-failure' : 'no-stdout';
    case 'no_stderr':
      return isForFailures === true ? 'no-stderr-on-failure' : 'no-stderr';
    case 'none':
      return 'none';
    default:
      return isForFailures === true ? 'on-failure' : 'files';
  }
}

/** Which CPUs of a node a job is given. `compact`: close to each other; `spread`: far from each other. */
export const cpuPlacements = ['compact', 'spread'] as const;
export type CpuPlacement = (typeof cpuPlacements)[number];

/** What starts a job in an allocation of Slurm. `direct`: its worker; `slurm`: srun, as a step of the allocation. */
export const executions = ['direct', 'slurm'] as const;
export type Execution = (typeof executions)[number];

/** What a job states itself; what is missing is as for every other job. */
export interface Launch {
  env?: Environment | undefined;
  stdio?: StdioMode | undefined;
  /** Where it starts, relative to where the others start. */
  cwd?: string | undefined;
  /** What it reads, relative to where it starts. */
  stdin?: string | undefined;
  /** The image in which its command runs. */
  container?: string | undefined;
  /** Its processes run only on the CPUs that it is given. */
  pin?: boolean | undefined;
  cpu_placement?: CpuPlacement | undefined;
  execution?: Execution | undefined;
  /** What starts its process by forking itself, where that is possible: a command, of which a worker runs one for all. */
  warm?: string | undefined;
}

/** The keys of a job's specification that state it. */
export const launchKeys = Object.keys({
  env: true,
  stdio: true,
  cwd: true,
  stdin: true,
  container: true,
  pin: true,
  cpu_placement: true,
  execution: true,
  warm: true,
} satisfies Record<keyof Launch, true>) as (keyof Launch)[];

/** The image of a container as apptainer names it: a name that is neither a file nor a URL is one of a registry. */
export function imageName(image: string): string {
  const isFile = /^[./~]/.test(image) || /\.(?:sif|simg|img)$/.test(image);
  return isFile || /^[a-z-]+:\/\//.test(image) ? image : `docker://${image}`;
}

/** How many variables a workflow or a job may have, and how many bytes all of them together. */
const mostVariables = 1000;
export const mostEnvironmentBytes = 65_536;

/** A name that every shell can read. */
export const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
export const variableNameRule = 'the name of an environment variable is a letter or "_", then letters, digits and "_"';

/** Names that begin like this are set by torc itself, whatever a specification says. */
export const ownPrefix = 'TORC_';

/** What tells jobs of one command apart, as `torc exec` makes them. */
export const entryVariables = ['TORC_TASK_ID', 'TORC_ENTRY'] as const;

/** Whether torc sets this variable itself, for every job. */
export function isOwnVariable(name: string): boolean {
  return name.startsWith(ownPrefix) && !entryVariables.some((own) => own === name);
}

/** What is wrong with these variables together, as what follows "it"; null when a job can be given them. */
export function environmentProblem(env: Readonly<Record<string, unknown>>): string | null {
  const names = Object.keys(env);
  if (names.length > mostVariables) {
    return `has ${names.length} variables; at most ${mostVariables} are allowed`;
  }
  const bytes = names.reduce((sum, name) => sum + name.length + Buffer.byteLength(String(env[name])) + 2, 0);
  if (bytes <= mostEnvironmentBytes) return null;
  return `has ${bytes} bytes of variables; at most ${mostEnvironmentBytes} are allowed`;
}

/** The text of a value as a process gets it; null for none. */
export function environmentOf(given: Readonly<Record<string, unknown>> | null | undefined): Environment | null {
  const entries = Object.entries(given ?? {}).filter(([name]) => !isOwnVariable(name));
  if (entries.length === 0) return null;
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

/** Names of variables that usually hold a secret. */
const secretName = /secret|token|passw|passphrase|credential|api_?key|access_?key|private_?key/i;

/** The variables as they are shown: the values of those that look like secrets are hidden. */
export function shownEnvironment(env: Environment): Environment {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, secretName.test(name) ? hiddenValue : value]),
  );
}

/** Names of variables whose values are not shown. */
export function secretNames(env: Environment): string[] {
  return Object.keys(env).filter((name) => secretName.test(name));
}

/** Instead of a value that is a secret. */
export const hiddenValue = '(hidden)';

/** What differs, without the values. */
export function environmentDifferences(
  before: Environment,
  after: Environment,
): { field: string; old_value: string | null; new_value: string | null }[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    const [old, now] = [before, after].map((env) => (Object.hasOwn(env, name) ? (env[name] ?? null) : null));
    if (old === now) return [];
    const field = `env.${name}`;
    return [
      {
        field,
        old_value: old === null ? null : 'a value',
        new_value: now === null ? null : old === null ? 'a value' : 'another value',
      },
    ];
  });
}
