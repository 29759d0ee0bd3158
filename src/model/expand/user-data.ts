/** User data of a specification, sweeps written out: parameters are replaced in the name and in every text of the data. */
import { jsonText, WrittenNumber } from '../../base/exact-json.ts';
import type { ExpandedWorkflow } from '../expanded.ts';
import type { Sweep } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec } from '../spec/spec.ts';
import { userDataProblem } from '../spec/user-data.ts';
import { specDefaults } from './defaults.ts';
import { type Element, Instances, templateOf } from './instances.ts';
import { NameTable, unnamed } from './name-table.ts';
import type { SweepReader } from './sweeps.ts';
import type { Template } from './template.ts';

interface DataElement extends Element {
  isEphemeral: boolean;
  dataAt(instance: number): unknown;
}

export function expandUserData(
  spec: CheckedSpec,
  sweeps: SweepReader,
  findings: Findings,
): { instances: Instances<Element>; userData: ExpandedWorkflow['userData'] } {
  const elements = (spec.user_data ?? []).map((written, i): DataElement => {
    const path = ['user_data', i];
    const sweep = sweeps.ofUserData(written, path);
    const name = written.name ?? unnamed;
    const data = dataTemplate(written.data ?? null, sweep, [...path, 'data'], findings);
    return {
      ...{ path, writtenName: name, name: templateOf(name, sweep, false, [...path, 'name'], findings), sweep },
      numCharacters: sweep === null ? 0 : name.length + jsonText(written.data ?? null).length,
      identity: data.templates.map((template) => ({ key: 'data', template })),
      isEphemeral: written.is_ephemeral ?? specDefaults.isEphemeral,
      dataAt: data.at,
    };
  });
  const instances = new Instances(new NameTable('user_data', findings), elements);
  const userData = Array.from(instances.table.names, (name, number) => {
    const { path, sweep, isEphemeral, dataAt } = instances.elementOf(number);
    const data = dataAt(instances.instanceOf(number));
    const problem = sweep === null ? null : userDataProblem(data);
    if (problem !== null) findings.addOnce([...path, 'data'], problem, () => problem);
    return { name, data, isEphemeral };
  });
  return { instances, userData };
}

interface DataTemplate {
  templates: readonly Template[];
  at(instance: number): unknown;
}

/** Each text of a document as a template. */
function dataTemplate(data: unknown, sweep: Sweep | null, path: SpecPath, findings: Findings): DataTemplate {
  const same = { templates: [], at: () => data };
  if (sweep === null) return same;
  if (typeof data === 'string') {
    const template = templateOf(data, sweep, false, path, findings);
    return template.isConstant ? same : { templates: [template], at: (instance) => template.at(instance) };
  }
  if (typeof data !== 'object' || data === null || data instanceof WrittenNumber) return same;
  const parts = Object.entries(data).map(([key, value]) => {
    const part = Array.isArray(data) ? Number(key) : key;
    return { key, ...dataTemplate(value, sweep, [...path, part], findings) };
  });
  const templates = parts.flatMap((part) => part.templates);
  if (templates.length === 0) return same;
  if (Array.isArray(data)) return { templates, at: (instance) => parts.map((part) => part.at(instance)) };
  return { templates, at: (instance) => Object.fromEntries(parts.map(({ key, at }) => [key, at(instance)])) };
}
