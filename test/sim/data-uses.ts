/** Jobs that use what other jobs have left: in their commands, and as what they ask for. */
import type { Assignment } from '../../src/api/contract.ts';
import type { TestJob } from '../support/service.ts';
import type { Check } from './check.ts';
import type { Machines } from './machines.ts';
import type { Random } from './random.ts';

/** The names of the upstream jobs whose values a job uses. */
export interface DataUse {
  command: string | null;
  cpus: string | null;
}

/** What the process of an attempt leaves when it ends with 0: some leave nothing, and no two leave the same. */
export function resultOf(attempt: number): { attempt: number; cpus: number } | undefined {
  return attempt % 4 === 0 ? undefined : { attempt, cpus: 1 + (attempt % 3) };
}

/** Some jobs use values of those that they wait for; none in half of the worlds. */
export function randomUses(
  jobs: readonly TestJob[],
  edges: readonly [number, number][],
  random: Random,
): Map<string, DataUse> {
  const uses = new Map<string, DataUse>();
  if (!random.chance(0.5)) return uses;
  for (const [from, to] of edges) {
    const [upstream, job] = [jobs[from], jobs[to]];
    if (upstream === undefined || job === undefined || random.chance(0.3)) continue;
    const known = uses.get(job.name) ?? { command: null, cpus: null };
    const use = random.pick([['command'], ['cpus'], ['command', 'cpus']] as const);
    uses.set(job.name, { ...known, ...Object.fromEntries(use.map((what) => [what, upstream.name])) });
  }
  return uses;
}

/** A job as it is created. */
export function withUse(job: TestJob, use: DataUse | undefined): TestJob {
  if (use === undefined) return job;
  const { command, cpus } = use;
  return {
    ...job,
    ...(command === null ? {} : { command: `true \${result.${command}.attempt}` }),
    ...(cpus === null ? {} : { fromData: { num_cpus: `\${result.${cpus}.cpus}` } }),
  };
}

interface Inputs {
  by_name: Record<string, { attempt?: number }>;
}

export class DataUses {
  readonly #uses: ReadonlyMap<string, DataUse>;
  readonly #machines: Machines;
  readonly #check: Check;
  /** Jobs for which a person has said what they ask for. */
  readonly stated = new Set<string>();

  constructor(uses: ReadonlyMap<string, DataUse>, machines: Machines, check: Check) {
    this.#uses = uses;
    this.#machines = machines;
    this.#check = check;
  }

  /** A process of the job starts: it was given what the processes before it have left. */
  started({ job_name: name, job_key, attempt, inputs, variables, num_cpus }: Assignment): void {
    const use = this.#uses.get(name);
    if (use === undefined) return;
    const { by_name } = JSON.parse(inputs ?? '{"by_name":{}}') as Inputs;
    const left = (upstream: string) => this.#leftBy(upstream, by_name[upstream]?.attempt);
    const complain = (words: string) => this.#check.broken.push(`attempt ${attempt} of job ${name} ${words}`);
    if (use.command !== null) {
      const [expected, given] = [left(use.command)?.attempt, Object.values(variables ?? {})];
      if (given.length !== 1 || given[0] !== String(expected)) complain(`was given ${given}, expected ${expected}`);
      this.#check.note('values in commands');
    }
    // a claim that was kept across a restart asks for what it did; it may reach its worker after what is before it has run again
    const isKept = use.cpus !== null && (by_name[use.cpus]?.attempt ?? 0) > attempt;
    if (use.cpus !== null && !isKept && !this.stated.has(job_key)) {
      const expected = left(use.cpus)?.cpus;
      if (num_cpus !== expected) complain(`has ${num_cpus} CPUs, its data says ${expected}`);
      this.#check.note('requirements from data');
    }
  }

  /** What an attempt of this job has left, if it is one and has succeeded. */
  #leftBy(name: string, attempt: number | undefined): ReturnType<typeof resultOf> {
    const process = attempt === undefined ? undefined : this.#machines.launched.get(attempt);
    const isItsOwn = process?.jobKey === String(Number(name.slice(1)) + 1);
    return attempt !== undefined && isItsOwn && process.exit?.code === 0 ? resultOf(attempt) : undefined;
  }
}
