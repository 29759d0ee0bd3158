/** A workflow of ColonyOS as a specification, with what has no counterpart. */
import { isMapping } from '../spec/check.ts';
import { didYouMean, quoted } from '../spec/names.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { RequirementsSpec } from '../spec/spec.ts';
import { coloniesWorkflow, type FunctionSpec, functionList, functionSpec } from './colonies-format.ts';
import { nodeName, tellOfColony, translateFunction } from './colonies-jobs.ts';
import { checked, Remarks, type Translation } from './translation.ts';

/** Null when findings were added. */
export function translateColonies(document: unknown, findings: Findings): Translation | null {
  const remarks = new Remarks();
  const functions = functionsOf(document, findings, remarks);
  checkReferences(functions, findings);
  const requirements = new Map<string, RequirementsSpec>();
  const jobs = functions.map(({ path, spec }) => {
    const made = translateFunction(spec, { path, findings, remarks });
    if (made.requirements !== null) requirements.set(made.requirements.name, made.requirements);
    return made.job;
  });
  if (findings.count > 0) return null;
  return remarks.of({
    name: 'workflow',
    ...(requirements.size === 0 ? {} : { resource_requirements: [...requirements.values()] }),
    jobs,
  });
}

interface PlacedFunction {
  spec: FunctionSpec;
  path: SpecPath;
}

/** The functions of a list, of an object around it, or a document of one function. */
function functionsOf(document: unknown, findings: Findings, remarks: Remarks): PlacedFunction[] {
  const from = { system: 'ColonyOS', findings, remarks };
  if (isMapping(document) && document.functionspecs === undefined) {
    const spec = checked(functionSpec, document, from);
    return spec === null ? [] : [{ spec, path: [] }];
  }
  const isList = Array.isArray(document);
  const workflow = checked(isList ? functionList : coloniesWorkflow, document, from);
  if (workflow === null) return [];
  if (!Array.isArray(workflow)) tellOfColony(workflow.colonyname, ['colonyname'], remarks);
  const specs = Array.isArray(workflow) ? workflow : workflow.functionspecs;
  return specs.map((spec, i) => ({ spec, path: isList ? [i] : ['functionspecs', i] }));
}

function checkReferences(functions: readonly PlacedFunction[], findings: Findings): void {
  const names = new Set<string>();
  for (const { spec, path } of functions) {
    const name = nodeName(spec);
    if (names.has(name)) {
      const key = spec.nodename ? 'nodename' : 'funcname';
      findings.add([...path, key], () => `a second function is called ${quoted(name)}; give it another nodename`);
    }
    names.add(name);
  }
  for (const { spec, path } of functions) {
    for (const [i, name] of (spec.conditions?.dependencies ?? []).entries()) {
      if (names.has(name)) continue;
      const place = [...path, 'conditions', 'dependencies', i];
      findings.add(place, () => `there is no function ${quoted(name)}${didYouMean(name, names)}`);
    }
  }
}
