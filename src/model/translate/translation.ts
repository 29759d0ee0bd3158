/** What the translation of another system's workflow has in common: the result, and what is told about it. */
import { z } from 'zod';
import { addIssue } from '../spec/check.ts';
import { didYouMean, quoted } from '../spec/names.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { WorkflowSpec } from '../spec/spec.ts';

/** Something that people should know of a translation. */
export interface Remark {
  /** Where it is in the document, the first time. */
  path: SpecPath;
  at: 'key' | 'value';
  message: string;
  /** How often it is in the document. */
  count: number;
}

export interface Translation {
  spec: WorkflowSpec;
  /** What has no counterpart and is not in the specification. */
  leftOut: readonly Remark[];
  /** What is in the specification and means something slightly different there, or is not needed. */
  differences: readonly Remark[];
}

/** Collects remarks; equal ones are counted, so that a thousand equal jobs give one. */
export class Remarks {
  readonly #leftOut = new Map<string, Remark>();
  readonly #differences = new Map<string, Remark>();

  leaveOut(path: SpecPath, message: string, at: 'key' | 'value' = 'key'): void {
    add(this.#leftOut, { path, message, at, count: 1 });
  }

  differ(path: SpecPath, message: string): void {
    add(this.#differences, { path, message, at: 'key', count: 1 });
  }

  of(spec: WorkflowSpec): Translation {
    return { spec, leftOut: [...this.#leftOut.values()], differences: [...this.#differences.values()] };
  }
}

function add(remarks: Map<string, Remark>, remark: Remark): void {
  const same = remarks.get(remark.message);
  if (same === undefined) remarks.set(remark.message, remark);
  else same.count += 1;
}

/** The document by its schema, null when findings were added; keys that the other system has not are told. */
export function checked<S extends z.ZodType>(
  schema: S,
  document: unknown,
  { system, findings, remarks }: { system: string; findings: Findings; remarks: Remarks },
): z.infer<S> | null {
  const result = schema.safeParse(document);
  for (const issue of result.error?.issues ?? []) addIssue(issue, document, findings);
  for (const { path, key, allowed } of unknownKeys(schema, document)) {
    remarks.leaveOut(path, `${system} has no key ${quoted(key)} here${didYouMean(key, allowed)}`);
  }
  return result.success ? result.data : null;
}

/** The keys of a document that its schema does not have, outermost first. */
function unknownKeys(schema: z.core.$ZodType, value: unknown, path: SpecPath = []): UnknownKey[] {
  const bare = withoutNull(schema);
  if (Array.isArray(value)) {
    return bare instanceof z.ZodArray
      ? value.flatMap((element, i) => unknownKeys(bare.element, element, [...path, i]))
      : [];
  }
  if (typeof value !== 'object' || value === null || !(bare instanceof z.ZodObject)) return [];
  const shape = bare.shape as Record<string, z.core.$ZodType>;
  return Object.entries(value).flatMap(([key, held]) => {
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
    const place = [...path, key];
    return known === undefined ? [{ path: place, key, allowed: Object.keys(shape) }] : unknownKeys(known, held, place);
  });
}

interface UnknownKey {
  path: SpecPath;
  key: string;
  allowed: readonly string[];
}

function withoutNull(schema: z.core.$ZodType): z.core.$ZodType {
  let bare = schema;
  while (bare instanceof z.ZodOptional || bare instanceof z.ZodNullable) bare = bare.unwrap();
  return bare;
}
