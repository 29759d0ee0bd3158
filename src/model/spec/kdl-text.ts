/** A specification as KDL, as `kdl.ts` reads it: one node for each element of a list of objects. */
import { isMapping } from './check.ts';
import type { WorkflowSpec } from './spec.ts';

/** What the element of a list of objects is called; the list of factories has the name of its elements. */
const elements: Readonly<Record<string, string>> = {
  jobs: 'job',
  files: 'file',
  user_data: 'user_data',
  resource_requirements: 'resource_requirements',
  failure_handlers: 'failure_handler',
  slurm_schedulers: 'slurm_scheduler',
  actions: 'action',
  templates: 'template',
  factories: 'factories',
  rules: 'rule',
  steps: 'step',
};

/** Keys whose value is any JSON. */
const documents: readonly string[] = ['metadata', 'data'];

/** What an object is: its keys decide how lists in it are written. */
type Kind = 'object' | 'factory' | 'parameters';

export function kdlText(spec: WorkflowSpec): string {
  return nodesOf(spec, '', 'object');
}

function nodesOf(object: Readonly<Record<string, unknown>>, indent: string, kind: Kind): string {
  return Object.entries(object)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => nodeOf(key, value, indent, kind))
    .join('');
}

function nodeOf(key: string, value: unknown, indent: string, kind: Kind): string {
  if (documents.includes(key)) return `${indent}${word(key)} ${valueText(JSON.stringify(value))}\n`;
  if (Array.isArray(value)) return listOf(key, value, indent, kind);
  if (!isMapping(value)) return `${indent}${word(key)} ${valueText(value)}\n`;
  return block(word(key), value, indent, key === 'factory' ? 'factory' : 'parameters');
}

function listOf(key: string, values: readonly unknown[], indent: string, kind: Kind): string {
  const element = kind === 'factory' && key === 'parameters' ? 'parameter' : elements[key];
  if (element !== undefined && values.every(isMapping)) {
    return values.map((each) => elementOf(element, each, indent)).join('');
  }
  const texts = values.map(valueText);
  // one argument of a parameter would be a value, not a list of one
  if (kind === 'parameters') return `${indent}${word(key)} { ${texts.map((text) => `- ${text}`).join('; ')}; }\n`;
  return `${indent}${[word(key), ...texts].join(' ')}\n`;
}

function elementOf(element: string, { name, ...rest }: Readonly<Record<string, unknown>>, indent: string): string {
  const named = typeof name === 'string' ? `${element} ${valueText(name)}` : element;
  return block(named, rest, indent, element === 'factories' ? 'factory' : 'object');
}

function block(head: string, keys: Readonly<Record<string, unknown>>, indent: string, kind: Kind): string {
  return `${indent}${head} {\n${nodesOf(keys, `${indent}    `, kind)}${indent}}\n`;
}

function word(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : valueText(name);
}

function valueText(value: unknown): string {
  if (typeof value === 'boolean') return value ? '#true' : '#false';
  if (typeof value === 'number') return String(value);
  const text = String(value).replace(/[\\"\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escaped);
  return `"${text}"`;
}

function escaped(character: string): string {
  const short: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return short[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
