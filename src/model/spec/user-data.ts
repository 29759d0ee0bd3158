/** User data: JSON documents that jobs pass to each other through the database; their limits, and how commands get them. */
import { withinDepth } from './source.ts';

/** The largest document, in bytes of its JSON. */
export const mostUserDataBytes = 1024 * 1024;

/** Why a value cannot be kept as user data, as what follows "it"; null when it can. */
export function userDataProblem(data: unknown): string | null {
  if (isDeeper(data, withinDepth)) return `is nested deeper than ${withinDepth} levels`;
  const bytes = Buffer.byteLength(JSON.stringify(data ?? null));
  if (bytes <= mostUserDataBytes) return null;
  return `is ${bytes} bytes of JSON; user data holds at most ${mostUserDataBytes} (1 MiB)`;
}

function isDeeper(data: unknown, most: number): boolean {
  let level: unknown[] = [data];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true;
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return false;
}

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
