/**
 * Replies of an older server, which lack what was added to the contract since: null, an empty list, "no" or what the
 * schema names stand for it. Any other number cannot be made up. Loads all schemas; imported only where a server is older.
 */
import type { z } from 'zod';
import { type EndpointName, endpoints, type Request } from './contract.ts';
import { valuesBefore } from './fields.ts';
import { listReplyOf } from './lists.ts';

/** Thrown where a reply lacks a field that has no value for "none". */
export class MissingField extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`${path} is missing`);
    this.path = path;
  }
}

/** The schema of a reply; that of a list has the columns of this list. */
export function replySchema<N extends EndpointName>(endpoint: N, request: Request<N>): z.ZodType {
  return endpoint === 'list' ? listReplyOf((request as Request<'list'>).list) : endpoints[endpoint].reply();
}

/** The parts of zod's definitions that replies are made of. */
type Definition =
  | { type: 'object'; shape: Record<string, z.ZodType> }
  | { type: 'array'; element: z.ZodType }
  | { type: 'record'; valueType: z.ZodType }
  | { type: 'union'; options: z.ZodType[] }
  | { type: 'nullable' | 'optional'; innerType: z.ZodType }
  | { type: 'boolean' | 'unknown' | 'any' | 'other' };

const definitionOf = (schema: z.ZodType): Definition => schema.def as unknown as Definition;

/** Completes replies of one schema. */
export class Completion {
  readonly #schema: z.ZodType;
  #numAdded = 0;

  constructor(schema: z.ZodType) {
    this.#schema = schema;
  }

  /** Whether a reply lacked something that is shown. */
  get hasAdded(): boolean {
    return this.#numAdded > 0;
  }

  /** The reply with all that it lacks; what it has besides stays as it is. Throws MissingField. */
  of(reply: unknown): unknown {
    return this.#completed(this.#schema, reply, '');
  }

  #completed(schema: z.ZodType, value: unknown, path: string): unknown {
    const definition = definitionOf(schema);
    if (value === undefined) return this.#absent(schema, path);
    if (value === null) return null;
    switch (definition.type) {
      case 'nullable':
      case 'optional':
        return this.#completed(definition.innerType, value, path);
      case 'array':
        return Array.isArray(value) ? value.map((each) => this.#completed(definition.element, each, path)) : value;
      case 'record': {
        const part = (each: unknown, name: string) => this.#completed(definition.valueType, each, below(path, name));
        return isObject(value) ? mapped(value, part) : value;
      }
      case 'object':
        return isObject(value) ? this.#completedObject(definition.shape, value, path) : value;
      case 'union':
        return this.#completedUnion(definition.options, value, path);
      default:
        return value;
    }
  }

  #completedObject(shape: Record<string, z.ZodType>, value: Record<string, unknown>, path: string): object {
    const known = mapped(shape, (schema, name) => this.#completed(schema, value[name], below(path, name)));
    return { ...value, ...Object.fromEntries(Object.entries(known).filter(([, each]) => each !== undefined)) };
  }

  /** As the first of the options that it becomes one of. */
  #completedUnion(options: readonly z.ZodType[], value: unknown, path: string): unknown {
    const before = this.#numAdded;
    for (const option of options) {
      try {
        const whole = this.#completed(option, value, path);
        if (option.safeParse(whole).success) return whole;
      } catch (error) {
        if (!(error instanceof MissingField)) throw error;
      }
      this.#numAdded = before;
    }
    return value;
  }

  /** What stands for a value that the server does not know; undefined where it may be left out. */
  #absent(schema: z.ZodType, path: string): unknown {
    const definition = definitionOf(schema);
    const before = valuesBefore.get(schema);
    if (before !== undefined) {
      this.#numAdded += 1;
      return before.value;
    }
    if (['optional', 'unknown', 'any'].includes(definition.type)) return undefined;
    if (definition.type === 'object') return this.#completedObject(definition.shape, {}, path);
    this.#numAdded += 1;
    switch (definition.type) {
      case 'nullable':
        return null;
      case 'array':
        return [];
      case 'record':
        return {};
      case 'boolean':
        return false;
      default:
        throw new MissingField(path);
    }
  }
}

const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapped<V, W>(record: Record<string, V>, make: (value: V, name: string) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value, name)]));
}
