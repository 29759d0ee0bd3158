/** The names of one list of a specification: which there are, which stand there twice, and which one was meant. */
import { didYouMean, quoted } from './names.ts';
import type { WorkflowSpec } from './spec.ts';
import type { Findings, SpecPath } from './spec-problems.ts';

export type NamedList = 'jobs' | 'files' | 'user_data' | 'resource_requirements';

const labels: Readonly<Record<NamedList, string>> = {
  jobs: 'job',
  files: 'file',
  user_data: 'user data',
  resource_requirements: 'resource requirement',
};

/** Names of one kind and their numbers; a name that stands twice is a finding. */
export class NameTable {
  readonly #label: string;
  readonly #numbers = new Map<string, number>();
  readonly #findings: Findings;

  constructor(list: NamedList, spec: WorkflowSpec, findings: Findings) {
    this.#label = labels[list];
    this.#findings = findings;
    for (const [i, { name }] of (spec[list] ?? []).entries()) {
      const first = this.#numbers.get(name);
      if (first === undefined) this.#numbers.set(name, i);
      else findings.add([list, i, 'name'], () => `the name ${quoted(name)} is that of ${list}[${first}] already`);
    }
  }

  /** The number of a name; an unknown one is a finding at the path that says it. */
  find(name: string, path: SpecPath): number | null {
    const number = this.#numbers.get(name);
    if (number !== undefined) return number;
    this.#findings.add(path, () => {
      const meant = didYouMean(name, this.#numbers.keys());
      return `there is no ${this.#label} ${quoted(name)}${meant}`;
    });
    return null;
  }
}
