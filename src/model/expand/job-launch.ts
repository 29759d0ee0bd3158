/** How the process of a job is started, as its specification states it. */
import { environmentOf, type Launch, launchKeys, modeOf, type StdioMode } from '../launch.ts';
import type { JobSpec } from '../spec/spec.ts';
import { type Template, textsAt } from './template.ts';

/** The texts of a job about its start, ready to be instantiated. */
export interface LaunchElement {
  env: readonly { name: string; template: Template }[];
  stdio: StdioMode | null;
  cwd: Template | null;
  stdin: Template | null;
  container: Template | null;
  /** What is the same for all instances. */
  fixed: Pick<Launch, 'pin' | 'cpu_placement' | 'execution' | 'warm'> | null;
}

const nothingStated: LaunchElement = { env: [], stdio: null, cwd: null, stdin: null, container: null, fixed: null };

export function launchElement(spec: JobSpec, of: (key: string, text: string) => Template): LaunchElement {
  if (launchKeys.every((key) => spec[key] == null)) return nothingStated;
  const optional = (key: 'cwd' | 'stdin' | 'container') => {
    const text = spec[key];
    return text == null ? null : of(key, text);
  };
  const { pin, cpu_placement, execution, warm } = spec;
  const fixed = {
    ...(pin == null ? {} : { pin }),
    ...(cpu_placement == null ? {} : { cpu_placement }),
    ...(execution == null ? {} : { execution }),
    ...(warm == null ? {} : { warm }),
  };
  return {
    fixed: Object.keys(fixed).length === 0 ? null : fixed,
    env: Object.entries(environmentOf(spec.env) ?? {}).map(([name, value]) => ({ name, template: of('env', value) })),
    stdio: spec.stdio == null ? null : typeof spec.stdio === 'string' ? spec.stdio : modeOf(spec.stdio),
    ...{ cwd: optional('cwd'), stdin: optional('stdin'), container: optional('container') },
  };
}

/** The texts in which instances of the same name must be equal. */
export function launchIdentity({ env, cwd, stdin, container }: LaunchElement): Record<string, Template | null> {
  return { ...Object.fromEntries(env.map(({ name, template }) => [`env ${name}`, template])), cwd, stdin, container };
}

/** Null where nothing is stated; `filled` replaces the names of files in what it reads. */
export function launchAt(element: LaunchElement, instance: number, filled: (text: string) => string): Launch | null {
  const { env, stdio, cwd, stdin, container, fixed } = element;
  if (env.length === 0 && (stdio ?? cwd ?? stdin ?? container ?? fixed) === null) return null;
  return {
    ...fixed,
    ...(env.length === 0 ? {} : { env: textsAt(env, instance) }),
    ...(stdio === null ? {} : { stdio }),
    ...(cwd === null ? {} : { cwd: cwd.at(instance) }),
    ...(stdin === null ? {} : { stdin: filled(stdin.at(instance)) }),
    ...(container === null ? {} : { container: container.at(instance) }),
  };
}
