/** User data: JSON documents that jobs pass to each other through the database; their limits, and how commands get them. */
import { jsonText, WrittenNumber } from '../../base/exact-json.ts';
import { withinDepth } from './source.ts';

/** The largest document, in bytes of its JSON. */
export const mostUserDataBytes = 1024 * 1024;

/** Why a value cannot be kept as user data, as what follows "it"; null when it can. */
export function userDataProblem(data: unknown): string | null {
  const problem = documentProblem(data);
  if (problem !== null) return problem;
  const bytes = Buffer.byteLength(jsonText(data ?? null));
  if (bytes <= mostUserDataBytes) return null;
  return `is ${bytes} bytes of JSON; user data holds at most ${mostUserDataBytes} (1 MiB): keep large data in files`;
}

/** Why a value cannot be kept as JSON that everybody can read, as what follows "it"; null when it can. */
export function documentProblem(data: unknown): string | null {
  let level: unknown[] = [data];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > withinDepth) return `is nested deeper than ${withinDepth} levels`;
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string' && !value.isWellFormed()) return hasHalf;
      if (!['string', 'number', 'boolean', 'object'].includes(typeof value)) return 'is not JSON';
      if (typeof value !== 'object' || value === null || value instanceof WrittenNumber) continue;
      if (!Array.isArray(value) && Object.keys(value).some((key) => !key.isWellFormed())) return hasHalf;
      for (const held of Object.values(value)) next.push(held);
    }
    level = next;
  }
  return null;
}

const hasHalf = 'contains an incomplete character (a lone UTF-16 surrogate)';

const inputVariable = /\$\{user_data\.input\.([^}]+)\}/g;

/**
 * The text with each `${user_data.input.NAME}` replaced by the JSON that `jsonOf` gives; where that is null it stays. A
 * single quote in it becomes `\u0027`, which JSON reads as the same character: the document is safe inside single
 * quotes of the shell. For the same reason nothing in it looks like a variable any more.
 */
export function fillInputs(text: string, jsonOf: (name: string) => string | null): string {
  if (!text.includes('${user_data.input.')) return text;
  return text.replace(inputVariable, (whole, name: string) => {
    const json = jsonOf(name);
    return json === null ? whole : json.replaceAll("'", '\\u0027').replaceAll('${', '\\u0024{');
  });
}
