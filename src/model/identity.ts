/** What makes a workflow the same one again: SHA-256 over canonical JSON, so that no two values are written alike. */
import { createHash, hash } from 'node:crypto';
import { parseJson, WrittenNumber } from '../base/exact-json.ts';

/** Longest args, as text. */
const longestArgs = 65_536;

/** Who creates what with which args. */
export interface WorkflowIdentity {
  user: string;
  tool: string;
  name: string;
  /** As `argsText` writes them. */
  args: string;
}

export function workflowHash({ user, tool, name, args }: WorkflowIdentity): string {
  return createHash('sha256')
    .update(canonicalJson([user, tool, name, args]))
    .digest('hex');
}

/** A short hash of a text, for the comparison of two texts. */
export function digest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 16);
}

/** JSON without spaces, keys in order, equal numbers written alike. */
export function canonicalJson(value: unknown): string {
  if (value instanceof WrittenNumber) return canonicalNumber(value.text);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value).filter(([, held]) => held !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${canonicalJson(held)}`).join(',')}}`;
}

/** `1.0` is 1, and what a double cannot hold stays as it is written. */
function canonicalNumber(text: string): string {
  const short = String(Number(text));
  return decimal(short) === decimal(text) ? short : text;
}

/** The same text for all ways to write a number. */
function decimal(text: string): string {
  const [, sign = '', whole = '', part = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/.exec(text) ?? [];
  const digits = `${whole}${part}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  return `${sign}${kept}e${Number(exponent) - part.length + digits.length - kept.length}`;
}

/**
 * Args as the text that is stored and compared: a text as it is, unless it is a JSON object or array; these in canonical
 * JSON; a number, true or false as it is written. Null when there are none.
 */
export function argsText(args: unknown): string | null {
  if (args === null || args === undefined) return null;
  if (args instanceof WrittenNumber) return args.text;
  if (typeof args === 'object') return canonicalJson(args);
  const text = String(args);
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return canonicalJson(parseJson(text));
  } catch {
    return text;
  }
}

/** What is wrong with args, or null. */
export function argsProblem(args: unknown): string | null {
  const text = argsText(args);
  if (text === null) return null;
  if (text === '') return 'is empty; leave it out for a workflow that is new each time';
  return text.length > longestArgs ? `is longer than ${longestArgs} characters` : null;
}
