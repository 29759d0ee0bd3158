/** The text of a specification before it is read: its size, encoding and syntax; and what every reader returns. */
import { positionsOf } from './places.ts';
import { type Position, SpecError, shownProblems, type Where } from './problems.ts';

/** The largest specification that is read, in bytes. */
export const largestSpecBytes = 64 * 1024 * 1024;

/** The deepest nesting that is read; the format itself needs six levels, only metadata can need more. */
export const withinDepth = 100;

/** A document as plain values, and the way back from a path to its place in the text. */
export interface ReadDocument {
  value: unknown;
  where: Where;
}

/** A problem at an offset of the text, before there is a value with paths. */
export interface Fault {
  offset: number;
  message: string;
}

/** Throws SpecError when there are faults. */
export function throwFaults(faults: readonly Fault[], text: string, file: string): void {
  if (faults.length === 0) return;
  const kept = faults.slice(0, shownProblems);
  const positions = positionsOf(
    text,
    kept.map((fault) => fault.offset),
  );
  const problems = kept.map(({ message }, i) => ({ file, ...(positions[i] as Position), path: '', message }));
  throw new SpecError(problems, faults.length);
}

export const specSyntaxes = ['yaml', 'json', 'json5', 'kdl'] as const;
export type SpecSyntax = (typeof specSyntaxes)[number];

/**
 * The syntax by the file's name. Where the name says nothing: a text that begins with `{` or a comment of JSON5 and an
 * object is JSON when JSON can read it, else JSON5; one with a node of KDL before any key of YAML is KDL; else YAML.
 */
export function syntaxOf(file: string, text: string): SpecSyntax {
  const named = syntaxByName(file);
  if (named !== undefined) return named;
  const start = text.slice(afterComments(text, 0)).slice(0, 1000);
  if (start.startsWith('{')) return isJson(text) || !looksLikeJson5(text) ? 'json' : 'json5';
  return /^(?:\/-)?[a-z_]+[ \t]+(?:"|[{]|[a-z_]+="|#true|#false)/.test(start) ? 'kdl' : 'yaml';
}

export function syntaxByName(file: string): SpecSyntax | undefined {
  const extension = /\.([A-Za-z0-9]+)$/.exec(file)?.[1]?.toLowerCase();
  return extension === 'yml' ? 'yaml' : specSyntaxes.find((syntax) => syntax === extension);
}

/** The first offset that is neither space nor inside a comment of JSON5 (or KDL). */
export function afterComments(text: string, from: number): number {
  let at = from;
  for (;;) {
    while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
    if (text.startsWith('//', at)) {
      while (at < text.length && !/[\n\r\u2028\u2029]/.test(text.charAt(at))) at += 1;
    } else if (text.startsWith('/*', at)) {
      const end = text.indexOf('*/', at + 2);
      at = end < 0 ? text.length : end + 2;
    } else return at;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Something that JSON does not have: a comment, a bare key, a text in single quotes, a comma before the end. */
function looksLikeJson5(text: string): boolean {
  return /(?:^|\s)\/[/*]|[{,]\s*[A-Za-z_$][\w$]*\s*:|'|,\s*[}\]]/.test(text);
}

/** The text of a specification without its byte order mark; throws SpecError for anything but UTF-8 text. */
export function decodeSpec(source: string | Uint8Array, file: string): string {
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length;
  if (bytes > largestSpecBytes) {
    const message = `is ${Math.ceil(bytes / 1024 ** 2)} MB; the limit is ${largestSpecBytes / 1024 ** 2} MB (a commands file may be larger)`;
    throw new SpecError([{ file, line: 1, column: 1, path: '', message }]);
  }
  const text = typeof source === 'string' ? source.replace(/^\ufeff/, '') : decodeUtf8(source, file);
  const nul = text.indexOf('\0');
  if (nul >= 0) throwFaults([{ offset: nul, message: 'a NUL byte; a specification is plain text' }], text, file);
  return text;
}

/** The text of bytes without their byte order mark; throws SpecError at the first byte that is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const message = isUtf16 ? 'is UTF-16; save it as UTF-8' : 'a byte that is not UTF-8; save the file as UTF-8';
    const valid = new TextDecoder().decode(bytes.subarray(0, isUtf16 ? 0 : firstInvalid(bytes)));
    throwFaults([{ offset: valid.length, message }], valid, file);
    throw new SpecError([{ file, line: 1, column: 1, path: '', message }]);
  }
}

/** The offset of the first byte at which the bytes stop being UTF-8. Source: RFC 3629, section 4. */
function firstInvalid(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let i = 0;
  while (i < bytes.length) {
    const lead = bytes[i] ?? 0;
    if (lead < 0x80) {
      i += 1;
      continue;
    }
    const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    try {
      decoder.decode(bytes.subarray(i, i + length));
    } catch {
      return i;
    }
    i += length;
  }
  return i;
}
