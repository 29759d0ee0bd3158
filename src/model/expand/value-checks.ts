/** `${result.NAME}` and `${inputs.N}` in the texts of jobs: each names a job that the job waits for. */
import type { Findings } from '../spec/problems.ts';
import { hasValueVariables, valueVariables, variableProblem } from '../spec/values.ts';
import { commandKey } from './elements.ts';
import type { JobExpansion } from './jobs.ts';

export function checkValues(expansion: JobExpansion, findings: Findings): void {
  const { jobs } = expansion;
  const sets = new Map<readonly number[], ReadonlySet<number>>();
  const setOf = (group: readonly number[]): ReadonlySet<number> => {
    const known = sets.get(group) ?? new Set(group);
    sets.set(group, known);
    return known;
  };
  for (let number = 0; number < jobs.length; number++) {
    const { command, script, spec, path } = jobs.elementOf(number);
    if (!hasValueVariables(command.written) && !hasValueVariables(script?.written ?? '')) continue;
    const single = new Set<number>();
    const groups: ReadonlySet<number>[] = [];
    expansion.eachUpstream(number, (upstream) => {
      if (typeof upstream === 'number') single.add(upstream);
      else groups.push(setOf(upstream));
    });
    const upstreams = {
      isEmpty: single.size + groups.length === 0,
      has(name: string): boolean {
        const named = jobs.table.numberOf(name);
        return named !== undefined && named !== number && (single.has(named) || groups.some((set) => set.has(named)));
      },
    };
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
