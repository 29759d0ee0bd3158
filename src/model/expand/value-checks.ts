/**
 * `${result.NAME}` and `${inputs.N}` in the texts of jobs and in their resource requirements: each names a job that the
 * job waits for. `${user_data.input.NAME}` in requirements names user data that the job reads.
 */

import type { ExpandedWorkflow } from '../expanded.ts';
import { fieldsFromData } from '../job.ts';
import { quoted } from '../spec/names.ts';
import { userDataPaths } from '../spec/needs-from-data.ts';
import type { Findings } from '../spec/problems.ts';
import { splitPath, valueVariables, variableProblem } from '../spec/values.ts';
import { commandKey } from './elements.ts';
import type { JobExpansion } from './jobs.ts';

/** What jobs wait for, by name; sets that many jobs share are made once. */
class Upstreams {
  readonly #expansion: JobExpansion;
  readonly #sets = new Map<readonly number[], ReadonlySet<number>>();

  constructor(expansion: JobExpansion) {
    this.#expansion = expansion;
  }

  of(number: number): { isEmpty: boolean; has(name: string): boolean } {
    const single = new Set<number>();
    const groups: ReadonlySet<number>[] = [];
    this.#expansion.eachUpstream(number, (upstream) => {
      if (typeof upstream === 'number') single.add(upstream);
      else groups.push(this.#setOf(upstream));
    });
    const { table } = this.#expansion.jobs;
    return {
      isEmpty: single.size + groups.length === 0,
      has(name) {
        const named = table.numberOf(name);
        return named !== undefined && named !== number && (single.has(named) || groups.some((set) => set.has(named)));
      },
    };
  }

  #setOf(group: readonly number[]): ReadonlySet<number> {
    const known = this.#sets.get(group) ?? new Set(group);
    this.#sets.set(group, known);
    return known;
  }
}

export function checkValues(expansion: JobExpansion, findings: Findings): void {
  const { jobs } = expansion;
  const all = new Upstreams(expansion);
  for (const number of expansion.withValues) {
    const { command, script, spec, path } = jobs.elementOf(number);
    const upstreams = all.of(number);
    const instance = jobs.instanceOf(number);
    for (const [key, template] of [
      [commandKey(spec), command],
      ['invocation_script', script],
    ] as const) {
      for (const variable of valueVariables(template?.at(instance) ?? '')) {
        const problem = variableProblem(variable, upstreams);
        if (problem !== null) findings.addOnce([...path, key], problem, () => problem);
      }
    }
  }
}

/** Every job with requirements from data has what these name. */
export function checkNeeds(
  expansion: JobExpansion,
  requirements: ExpandedWorkflow['requirements'],
  userData: ExpandedWorkflow['userData'],
  findings: Findings,
): void {
  if (!requirements.some(({ fromData }) => fromData !== undefined)) return;
  const all = new Upstreams(expansion);
  let number = -1;
  for (const job of expansion.expanded()) {
    number += 1;
    const place = job.requirements ?? -1;
    const fields = requirements[place]?.fromData ?? {};
    const read = new Set(job.inputUserData.map((datum) => userData[datum]?.name));
    for (const field of fieldsFromData) {
      const written = fields[field] ?? '';
      for (const problem of problemsOf(written, all.of(number), read)) {
        const path = ['resource_requirements', place, field];
        findings.addOnce(path, job.name, () => `job ${quoted(job.name)}: ${problem}`);
      }
    }
  }
}

function problemsOf(
  written: string,
  upstreams: ReturnType<Upstreams['of']>,
  read: ReadonlySet<string | null | undefined>,
): string[] {
  const ofValues = valueVariables(written).map((variable) => variableProblem(variable, upstreams));
  const ofData = userDataPaths(written)
    .filter((path) => splitPath(path, (name) => read.has(name)) === null)
    .map((path) => {
      const found = `found ${quoted(`\${user_data.input.${path}}`)}`;
      return `${found}, but the job reads no user data of this name: add it to input_user_data`;
    });
  return [...ofValues, ...ofData].filter((problem) => problem !== null);
}
