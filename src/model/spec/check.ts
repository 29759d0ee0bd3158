/** Whether a document has the shape of a specification, and what is wrong with it and where, in words for people. */

import type { z } from 'zod';
import { WrittenNumber } from '../../base/exact-json.ts';
import { argsProblem } from '../identity.ts';
import { aboutKey, aboutValue } from './issue-words.ts';
import { specObjectAt } from './objects.ts';
import type { Findings, SpecPath } from './problems.ts';
import { withinDepth } from './source.ts';
import { type WorkflowSpec, workflowSpec } from './spec.ts';
import { folded } from './synonyms.ts';
import { userDataProblem } from './user-data.ts';

type Issue = z.core.$ZodIssue;

/** How many values the metadata of a workflow, or one datum, may hold. */
const mostValues = 1_000_000;

/** Numbers in metadata, args and user data stay as they are written. */
export function isUserDocument(key: string, depth: number): boolean {
  return (['metadata', 'args', 'workflow_args'].includes(key) && depth === 0) || (key === 'data' && depth === 2);
}

/** The document as a specification; null when findings were added. */
export function checkShape(value: unknown, findings: Findings): WorkflowSpec | null {
  const before = findings.count;
  const result = parse(value);
  for (const issue of result.error?.issues ?? []) addIssue(issue, value, findings);
  if (isMapping(value)) {
    if ('metadata' in value) checkFree(value.metadata, ['metadata'], findings);
    checkArgs(value, findings);
    if (Array.isArray(value.jobs)) checkCommands(value.jobs, findings);
    if (Array.isArray(value.user_data)) checkUserData(value.user_data, findings);
    checkRecords(value, findings);
    if (isMapping(value.execution_config)) checkTwice(value, value.execution_config, findings);
    if (value.attributes != null && value.workflow_attributes != null) {
      findings.add(
        ['workflow_attributes'],
        () => 'is another name of attributes, which is given too; remove one of them',
      );
    }
  }
  return result.success && findings.count === before ? result.data : null;
}

/** `workflow_args` is another name of `args`. */
function checkArgs(value: Record<string, unknown>, findings: Findings): void {
  for (const key of ['args', 'workflow_args']) {
    if (value[key] == null || !checkFree(value[key], [key], findings)) continue;
    const problem = argsProblem(value[key]);
    if (problem !== null) findings.add([key], () => problem);
  }
  if (value.args == null || value.workflow_args == null) return;
  findings.add(['workflow_args'], () => 'is another name of args, which is given too; remove one of them');
}

/** Keys of the execution config, and those of the workflow that mean the same. */
const sameSettings: Readonly<Record<string, string>> = {
  termination_signal: 'termination_signal',
  sigterm_lead_seconds: 'sigterm_lead_seconds',
  sigkill_headroom_seconds: 'compute_node_expiration_buffer_seconds',
  stdio: 'stdio',
  mode: 'execution',
};

/** Which of two values counts cannot be seen. */
function checkTwice(workflow: Record<string, unknown>, config: Record<string, unknown>, findings: Findings): void {
  for (const [key, ours] of Object.entries(sameSettings)) {
    if (workflow[ours] == null || config[key] == null) continue;
    const what = ours === key ? 'is given in the workflow too' : `means ${ours}, which the workflow has too`;
    findings.add(['execution_config', key], () => `${what}; remove one of them`);
  }
}

/** Parameters, attributes and Slurm defaults have names of their own as keys; zod drops this one without a word. */
function checkRecords(value: Record<string, unknown>, findings: Findings): void {
  const refuse = (record: unknown, path: SpecPath) => {
    if (!isMapping(record) || !Object.hasOwn(record, '__proto__')) return;
    findings.add([...path, '__proto__'], () => 'cannot be used as a name here', 'key');
  };
  refuse(value.parameters, ['parameters']);
  for (const key of ['slurm_defaults', 'attributes', 'workflow_attributes', 'env']) refuse(value[key], [key]);
  for (const [list, elements] of Object.entries(value)) {
    if (!Array.isArray(elements)) continue;
    for (const [i, element] of elements.entries()) {
      if (!isMapping(element)) continue;
      for (const key of ['parameters', 'attributes', 'env']) refuse(element[key], [list, i, key]);
    }
  }
}

/** Words of a fixed list count in any case, and with dashes or underscores. */
function parse(value: unknown): ReturnType<typeof workflowSpec.safeParse> {
  const result = workflowSpec.safeParse(value);
  let copy = value;
  for (const issue of result.error?.issues ?? []) {
    const found = issue.code === 'invalid_value' ? valueAt(value, issue.path as SpecPath) : undefined;
    if (issue.code !== 'invalid_value' || typeof found !== 'string') continue;
    const meant = issue.values.find((allowed) => folded(String(allowed)) === folded(found));
    if (meant !== undefined) copy = withValue(copy, issue.path as SpecPath, meant);
  }
  return copy === value ? result : workflowSpec.safeParse(copy);
}

function withValue(document: unknown, [part, ...rest]: SpecPath, value: unknown): unknown {
  if (part === undefined) return value;
  const inner = withValue(valueAt(document, [part]), rest, value);
  if (Array.isArray(document)) return document.with(Number(part), inner);
  return { ...(document as Record<string, unknown>), [part]: inner };
}

/** Every job has a command or steps, not both; an invocation script cannot wrap steps. */
function checkCommands(jobs: readonly unknown[], findings: Findings): void {
  for (const [i, job] of jobs.entries()) {
    if (!isMapping(job)) continue;
    const path = ['jobs', i];
    checkTemplate(job, path, findings);
    if (job.steps == null) {
      if (job.command == null && job.template == null)
        findings.add([...path, 'command'], () => 'is missing; it is required');
      continue;
    }
    for (const key of ['command', 'invocation_script']) {
      if (job[key] != null)
        findings.add([...path, key], () => 'cannot be used together with steps; give it in each step');
    }
  }
}

/** A template says the command, and what a later creation of the job is compared by. */
function checkTemplate(job: Record<string, unknown>, path: SpecPath, findings: Findings): void {
  if (job.template == null) {
    if (job.args != null) findings.add([...path, 'args'], () => 'are values for a template, and the job names none');
    return;
  }
  for (const key of ['command', 'steps', 'identity']) {
    if (job[key] != null) findings.add([...path, key], () => 'cannot be used together with template');
  }
}

/** Adds what a schema found wrong with a document. */
export function addIssue(issue: Issue, document: unknown, findings: Findings): void {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  // a union without a message of its own is one of what its first option is for
  const isPlain = issue.code === 'invalid_union' && issue.message === 'Invalid input';
  const first = isPlain ? issue.errors[0]?.[0] : undefined;
  if (first !== undefined) {
    addIssue({ ...first, path: issue.path } as Issue, document, findings);
    return;
  }
  // of a mapping, what is wrong with its keys; of a list, with its entries
  const given = issue.code === 'invalid_union' ? valueAt(document, path) : null;
  const inside =
    issue.code === 'invalid_union' && (isMapping(given) || Array.isArray(given)) ? issuesInside(issue) : [];
  if (inside.length > 0) {
    for (const each of inside) addIssue({ ...each, path: [...issue.path, ...each.path] } as Issue, document, findings);
    return;
  }
  if (issue.code === 'unrecognized_keys') {
    const object = specObjectAt(path);
    for (const key of issue.keys) findings.add([...path, key], () => aboutKey(key, object), 'key');
    return;
  }
  const found = valueAt(document, path);
  if (path.length === 0 && found === null) {
    findings.add(path, () => 'is empty; a workflow has at least a name and jobs');
    return;
  }
  const isMissing = found === undefined && issue.code === 'invalid_type';
  if (isMissing) findings.add(path, () => 'is missing; it is required');
  else findings.add(path, (written) => aboutValue(issue, found, written));
}

/** The issues of the option of a union that takes a mapping or a list; none when no option does. */
function issuesInside({ errors }: z.core.$ZodIssueInvalidUnion): Issue[] {
  const isOfAnotherType = ({ code, path }: Issue) =>
    path.length === 0 && ['invalid_type', 'invalid_value', 'invalid_union'].includes(code);
  return errors.find((issues) => !issues.some(isOfAnotherType)) ?? [];
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueAt(document: unknown, path: SpecPath): unknown {
  return path.reduce<unknown>((value, part) => {
    const isInside = typeof value === 'object' && value !== null && Object.hasOwn(value, part);
    return isInside ? (value as Record<string | number, unknown>)[part] : undefined;
  }, document);
}

/** Metadata and user data may be any JSON within bounds; stops at the first problem. */
function checkFree(top: unknown, topPath: SpecPath, findings: Findings): boolean {
  const open: { value: unknown; path: SpecPath }[] = [{ value: top, path: topPath }];
  for (let count = 0, next = open.pop(); next !== undefined; count++, next = open.pop()) {
    const { value, path } = next;
    const problem = problemOfFree(value, path, count);
    if (problem !== null) {
      findings.add(path, () => problem);
      return false;
    }
    if (typeof value !== 'object' || value === null || value instanceof WrittenNumber) continue;
    const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    for (const [key, child] of entries) open.push({ value: child, path: [...path, key] });
  }
  return true;
}

function problemOfFree(value: unknown, path: SpecPath, count: number): string | null {
  if (path.length > withinDepth) return `is nested deeper than ${withinDepth} levels`;
  if (count > mostValues) return `has more than ${mostValues} values`;
  if (typeof value === 'number' && !Number.isFinite(value)) return `found ${value}, which JSON cannot represent`;
  const texts = typeof value === 'string' ? [value] : isMapping(value) ? Object.keys(value) : [];
  return texts.some((text) => /[\0\p{Cs}]/u.test(text)) ? 'contains a NUL byte or an incomplete character' : null;
}

function checkUserData(list: readonly unknown[], findings: Findings): void {
  for (const [i, element] of list.entries()) {
    if (!isMapping(element) || !('data' in element)) continue;
    const path = ['user_data', i, 'data'];
    const problem = checkFree(element.data, path, findings) ? userDataProblem(element.data) : null;
    if (problem !== null) findings.add(path, () => problem);
  }
}
