/** Attributes: short texts by name that people give workflows and jobs, to find them by. */
import { WrittenNumber } from '../../base/exact-json.ts';
import { quoted } from './names.ts';

/** How many a workflow or a job may have, and how long each text may be. */
export const mostAttributes = 100;
export const longestAttribute = 1000;

/** Safe in filters, in lists of columns and in paths of SQLite's JSON. */
export const attributeName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
export const attributeNameRule = 'an attribute name is a letter and at most 63 more letters, digits, "_", "." or "-"';

/** What is wrong with these attributes, and where; null when they can be stored. */
export function attributesProblem(
  attributes: Readonly<Record<string, unknown>>,
): { name: string | null; message: string } | null {
  const names = Object.keys(attributes);
  if (names.length > mostAttributes) {
    return { name: null, message: `has ${names.length} attributes; at most ${mostAttributes} are allowed` };
  }
  const long = names.find((name) => String(attributes[name]).length > longestAttribute);
  if (long === undefined) return null;
  return { name: long, message: tooLong(String(attributes[long])) };
}

export function tooLong(text: string): string {
  return `is ${text.length} characters long; an attribute has at most ${longestAttribute}: ${quoted(text)}`;
}

/** Numbers in the attributes, variables and environment variables of a written specification become texts in place, so that 1.10 stays 1.10. */
export function keepNumbersAsWritten(specification: unknown): void {
  if (!isObject(specification)) return;
  const jobs: unknown = specification.jobs;
  for (const holder of [specification, ...(Array.isArray(jobs) ? jobs : [])]) {
    if (!isObject(holder)) continue;
    for (const attributes of [holder.attributes, holder.workflow_attributes, holder.env, holder.variables]) {
      if (!isObject(attributes)) continue;
      for (const [name, value] of Object.entries(attributes)) {
        if (value instanceof WrittenNumber) attributes[name] = value.text;
      }
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
