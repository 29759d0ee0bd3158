/** A specification's text in, a checked specification or a workflow out; every problem with its place. */
import { withPlainNumbers } from '../../base/exact-json.ts';
import type { ReadText } from '../../base/text-files.ts';
import type { ExpandedWorkflow } from '../expanded.ts';
import { keepNumbersAsWritten } from '../spec/attributes.ts';
import { checkShape, isMapping, isUserDocument } from '../spec/check.ts';
import { withoutHistory } from '../spec/export.ts';
import { readJson } from '../spec/json.ts';
import { type Blocks, readLongSpec } from '../spec/json-jobs.ts';
import { readJson5 } from '../spec/json5.ts';
import { readKdl } from '../spec/kdl.ts';
import { Findings, type SpecPath, shownProblems, type Where } from '../spec/problems.ts';
import { decodeSpec, type ReadDocument, type SpecSyntax, syntaxByName, syntaxOf } from '../spec/source.ts';
import type { CheckedSpec, WorkflowSpec } from '../spec/spec.ts';
import { readYaml } from '../spec/yaml.ts';
import { withConstants } from './constants.ts';
import { expandInto, expandSpec } from './expand.ts';
import type { PathPlace } from './file-paths.ts';

const readers = { yaml: readYaml, json: readJson, json5: readJson5, kdl: readKdl };

export interface SpecOptions {
  /** As people typed it; names the file in every message. */
  file: string;
  /** Else by the file's name, else by how the text begins. */
  syntax?: SpecSyntax | undefined;
  /** Reads files of values. */
  readText?: ReadText | undefined;
  /** How the jobs of a long JSON document are read. */
  blocks?: Blocks | undefined;
}

/** The workflow that a parsed document describes; problems are named only by their path. Throws SpecError. */
export function expandValue(
  value: unknown,
  options: { file: string; place?: PathPlace | undefined },
): { spec: WorkflowSpec; workflow: ExpandedWorkflow } {
  const findings = new Findings();
  const where: Where = (places) => places.map(() => ({ line: 1, column: 1 }));
  const spec = checkShape(withConstants(value, findings), findings);
  findings.throwIfAny(options.file, where);
  return { spec: spec as WorkflowSpec, workflow: expandSpec(spec as WorkflowSpec, { ...options, where }) };
}

/** The document in a text (or its bytes), of any syntax; throws SpecError. */
export function readDocument(
  source: string | Uint8Array,
  options: SpecOptions,
): { document: ReadDocument; text: string } {
  const text = decodeSpec(source, options.file);
  return { document: documentIn(text, options), text };
}

function documentIn(text: string, { file, syntax }: SpecOptions): ReadDocument {
  return readers[syntax ?? syntaxOf(file, text)](text, file);
}

/** The specification in a text (or its bytes), checked for its shape, and where its parts stand. Throws SpecError. */
export function readSpec(source: string | Uint8Array, options: SpecOptions): { spec: CheckedSpec; where: Where } {
  const { file } = options;
  const text = decodeSpec(source, file);
  const long = mayBeJson(text, options) ? readLongSpec(text, options.blocks) : null;
  if (long !== null) return long;
  const { value: written, where } = withoutHistory(documentIn(text, options), file);
  keepNumbersAsWritten(written);
  const findings = new Findings();
  const value = withConstants(withPlainNumbers(written, isUserDocument), findings);
  const spec = checkShape(value, findings);
  if (spec === null) {
    const rest = withoutFindings(value, findings);
    if (rest !== null) expandInto(rest, findings, null, options.readText ?? null);
  }
  findings.throwIfAny(file, where, { hint: typeof value === 'string' ? plainTextHint : undefined, text });
  return { spec: spec as WorkflowSpec, where };
}

/** What is JSON is so by its name or by how it begins. */
function mayBeJson(text: string, { file, syntax = syntaxByName(file) }: SpecOptions): boolean {
  return syntax === 'json' || (syntax === undefined && /^\s*\{/.test(text));
}

const plainTextHint =
  'To read a file with one command on each line, use torc workflows create-from-commands-file FILE or torc run FILE --commands.';

/**
 * The document without the parts that are wrong, so that its references are checked in the same run; null when correct
 * references would then look wrong.
 */
function withoutFindings(value: unknown, findings: Findings): WorkflowSpec | null {
  if (!isMapping(value) || findings.count > shownProblems) return null;
  const copy = { ...value };
  for (const { path } of findings.kept) if (!leaveOut(copy, path)) return null;
  return checkShape(copy, new Findings());
}

const placeholders: Readonly<Record<string, unknown>> = {
  command: '-',
  path: '-',
  num_cpus: 1,
  memory: '1m',
  rules: [{ match_all_exit_codes: true }],
};

/** Keys of jobs and files that determine their number and their names. */
const naming: readonly string[] = [
  'name',
  'parameters',
  'parameter_mode',
  'use_parameters',
  'parameters_file',
  'use_parameters_file',
  'factory',
  'template',
  'args',
];

/** An action that refers to nothing. */
const harmlessAction = { trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' };

/** Lists of names that jobs refer to. */
const referredTo: readonly string[] = [
  ...['jobs', 'templates', 'files', 'user_data', 'resource_requirements', 'parameters', 'factory', 'factories'],
  ...['parameters_file', 'variables'],
  ...['failure_handlers', 'slurm_schedulers', 'slurm_defaults'],
];

function leaveOut(copy: Record<string, unknown>, path: SpecPath): boolean {
  const [list, index, key] = path;
  if (typeof list !== 'string') return false;
  const elements = copy[list];
  if (index === undefined || !Array.isArray(elements)) {
    delete copy[list];
    if (list === 'name') copy.name = '-';
    return !referredTo.includes(list);
  }
  const element: unknown = elements[Number(index)];
  if (list === 'actions') {
    copy[list] = elements.with(Number(index), harmlessAction);
    return true;
  }
  if (list === 'notifications') {
    delete copy[list];
    return true;
  }
  if (typeof key !== 'string' || naming.includes(key) || !isMapping(element)) return false;
  const { [key]: _, ...rest } = element;
  const isNeeded = Object.hasOwn(placeholders, key);
  copy[list] = elements.with(Number(index), isNeeded ? { ...rest, [key]: placeholders[key] } : rest);
  return true;
}
