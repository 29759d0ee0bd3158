/** What jobs hand to each other, files or user data: which jobs read and write each, and what is wrong with that. */
import { type NamedList, NameTable } from './name-table.ts';
import { quoted } from './names.ts';
import type { JobSpec, WorkflowSpec } from './spec.ts';
import type { Findings, SpecPath } from './spec-problems.ts';
import type { Direction } from './variables.ts';

interface Kind {
  list: Extract<NamedList, 'files' | 'user_data'>;
  what: string;
  input: 'input_files' | 'input_user_data';
  output: 'output_files' | 'output_user_data';
}

export const fileFlow: Kind = { list: 'files', what: 'file', input: 'input_files', output: 'output_files' };
export const userDataFlow: Kind = {
  list: 'user_data',
  what: 'user data',
  input: 'input_user_data',
  output: 'output_user_data',
};

/** What one job reads and writes, as numbers of the list. */
export class Uses {
  readonly input = new Set<number>();
  readonly output = new Set<number>();
}

/** One kind of data through the whole workflow. */
export class DataFlow {
  readonly #kind: Kind;
  readonly #spec: WorkflowSpec;
  readonly #findings: Findings;
  readonly #names: NameTable;
  /** For each datum the job that writes it, or -1. */
  readonly #producers: Int32Array;

  constructor(kind: Kind, spec: WorkflowSpec, findings: Findings) {
    this.#kind = kind;
    this.#spec = spec;
    this.#findings = findings;
    this.#names = new NameTable(kind.list, spec, findings);
    this.#producers = new Int32Array(spec[kind.list]?.length ?? 0).fill(-1);
  }

  /** What a job lists as its inputs and outputs. */
  listed(job: JobSpec, i: number): Uses {
    const uses = new Uses();
    for (const direction of ['input', 'output'] as const) {
      const key = this.#kind[direction];
      for (const [k, name] of (job[key] ?? []).entries()) this.use(uses, direction, name, ['jobs', i, key, k]);
    }
    return uses;
  }

  /** Adds a name to what a job uses; its number, or null when there is no such name, which is a finding. */
  use(uses: Uses, direction: Direction, name: string, path: SpecPath): number | null {
    const number = this.#names.find(name, path);
    if (number !== null) uses[direction].add(number);
    return number;
  }

  /** Notes the job as the producer of its outputs; a second producer is a finding. */
  claimOutputs(outputs: readonly number[], i: number): void {
    for (const number of outputs) {
      const other = this.#producers[number] ?? -1;
      if (other < 0) this.#producers[number] = i;
      else this.#findings.add(this.#outputPath(i, number), () => this.#twoProducers(number, other, i));
    }
  }

  /** Calls `waitFor` with the producer of each input; the job itself is a finding. */
  eachProducer(inputs: readonly number[], i: number, waitFor: (upstream: number) => void): void {
    for (const number of inputs) {
      const producer = this.#producers[number] ?? -1;
      if (producer === i) this.#findings.add(['jobs', i], () => this.#ownInput(number, i));
      else if (producer >= 0) waitFor(producer);
    }
  }

  #outputPath(i: number, number: number): SpecPath {
    const key = this.#kind.output;
    const k = this.#spec.jobs[i]?.[key]?.indexOf(this.#nameOf(number)) ?? -1;
    return k < 0 ? ['jobs', i, 'command'] : ['jobs', i, key, k];
  }

  #twoProducers(number: number, first: number, second: number): string {
    const [a, b] = [first, second].map((job) => quoted(this.#spec.jobs[job]?.name ?? ''));
    return `the jobs ${a} and ${b} both write the ${this.#kind.what} ${quoted(this.#nameOf(number))}`;
  }

  #ownInput(number: number, i: number): string {
    const [what, job] = [`${this.#kind.what} ${quoted(this.#nameOf(number))}`, this.#spec.jobs[i]?.name ?? ''];
    return `the job ${quoted(job)} both reads and writes the ${what}, so it would wait for itself`;
  }

  #nameOf(number: number): string {
    return this.#spec[this.#kind.list]?.[number]?.name ?? '';
  }
}
