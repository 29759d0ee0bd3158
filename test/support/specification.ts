/** A specification's text read and expanded in one step. */
import { expandSpec } from '../../src/model/expand/expand.ts';
import { readSpec, type SpecOptions } from '../../src/model/expand/read.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import type { CheckedSpec } from '../../src/model/spec/spec.ts';

/** The specification and the workflow that it describes, with all references checked. Throws SpecError. */
export function loadWorkflow(
  source: string | Uint8Array,
  options: SpecOptions,
): { spec: CheckedSpec; workflow: ExpandedWorkflow } {
  const { spec, where } = readSpec(source, options);
  return { spec, workflow: expandSpec(spec, { file: options.file, where, readText: options.readText }) };
}

/** The specification, checked for its shape only. Throws SpecError. */
export function parseSpec(source: string | Uint8Array, options: SpecOptions): CheckedSpec {
  return readSpec(source, options).spec;
}
