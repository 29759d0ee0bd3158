/** The names of one list of a specification: which exist, which appear twice, and which one was meant. */
import { didYouMean, quoted } from '../spec/names.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec } from '../spec/spec.ts';
import { NameList } from './name-list.ts';

const labels = {
  jobs: 'job',
  templates: 'template',
  files: 'file',
  user_data: 'user data',
  resource_requirements: 'resource requirement',
  failure_handlers: 'failure handler',
  slurm_schedulers: 'Slurm scheduler',
} as const;

export type NamedList = keyof typeof labels;

/** How many names are searched for the nearest one: a misspelt sweep of a million jobs is not worth a minute. */
const mostCandidates = 100_000;

/** Slurm schedulers and user data need no name in the format; a specification with several names them. */
export const unnamed = 'default';

/** Names of one kind and their numbers. */
export class NameTable {
  readonly list: NamedList;
  /** In the order of their numbers. */
  readonly names = new NameList();
  /** Names of sweeps as they are written, which references may use as well. */
  readonly writtenNames: string[] = [];
  readonly findings: Findings;

  constructor(list: NamedList, findings: Findings) {
    this.list = list;
    this.findings = findings;
  }

  /** The names of a list without sweeps; a name that appears twice is a finding. */
  static of(list: NamedList, spec: CheckedSpec, findings: Findings): NameTable {
    const table = new NameTable(list, findings);
    for (const [i, element] of (spec[list] ?? []).entries()) {
      const name = element.name ?? unnamed;
      const first = table.numberOf(name);
      if (first !== undefined) table.refuseRepeated(name, i, first);
      table.add(name);
    }
    return table;
  }

  refuseRepeated(name: string, element: number, first: number): void {
    this.findings.addOnce([this.list, element, 'name'], name, () => {
      return `the name ${quoted(name)} is already used by ${this.list}[${first}]`;
    });
  }

  /** Gives a name the next number; of a repeated name the first one is found. */
  add(name: string): number {
    return this.names.add(name);
  }

  numberOf(name: string): number | undefined {
    return this.names.numberOf(name);
  }

  /** The number of a name; an unknown one is a finding at the path that uses it. */
  find(name: string, path: SpecPath): number | null {
    const number = this.numberOf(name);
    if (number === undefined) this.refuseUnknown(name, path);
    return number ?? null;
  }

  refuseUnknown(name: string, path: SpecPath): void {
    this.findings.addOnce(path, name, () => {
      const candidates = [...this.writtenNames, ...this.names.first(mostCandidates)];
      return `there is no ${labels[this.list]} ${quoted(name)}${didYouMean(name, candidates)}`;
    });
  }

  get label(): string {
    return labels[this.list];
  }
}
