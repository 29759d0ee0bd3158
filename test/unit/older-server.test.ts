/** Answers of servers of an older torc, and which servers those are. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Api } from '../../src/api/contract.ts';
import { valuesBefore } from '../../src/api/fields.ts';
import { Completion, MissingField } from '../../src/api/older-replies.ts';
import { TorcError } from '../../src/base/errors.ts';
import { schemaVersion } from '../../src/base/program.ts';
import { version } from '../../src/base/version.ts';
import { olderApi, olderServer } from '../../src/cli/connection/older-server.ts';

const part = z.strictObject({ list: z.array(z.number()), flag: z.boolean() });
const schema = z.strictObject({
  text: z.string(),
  number: z.number().nullable(),
  perhaps: z.string().optional(),
  word: z.enum(['a', 'b']).register(valuesBefore, { value: 'a' }),
  part,
  parts: z.array(part),
  named: z.record(z.string(), part),
  either: z.union([
    z.strictObject({ kind: z.literal('x'), a: z.boolean() }),
    z.strictObject({ kind: z.literal('y'), b: z.boolean() }),
  ]),
});
const empty = { list: [], flag: false };
const whole = {
  text: 't',
  number: 1,
  perhaps: 'p',
  word: 'b',
  part: { list: [1], flag: true },
  parts: [{ list: [1], flag: true }],
  named: { n: { list: [1], flag: true } },
  either: { kind: 'y', b: true },
};

describe('a reply', () => {
  it('that is whole stays as it is, with what it has besides', () => {
    const completion = new Completion(schema);
    expect(completion.of({ ...whole, more: 1 })).toEqual({ ...whole, more: 1 });
    expect(completion.hasAdded).toBe(false);
  });

  it('gets what stands for none, at any depth', () => {
    const completion = new Completion(schema);
    const less = { text: 't', parts: [{}, { list: [2] }], named: { n: {} }, either: { kind: 'y' } };
    expect(completion.of(less)).toEqual({
      text: 't',
      number: null,
      word: 'a',
      part: empty,
      parts: [empty, { list: [2], flag: false }],
      named: { n: empty },
      either: { kind: 'y', b: false },
    });
    expect(completion.hasAdded).toBe(true);
  });

  it('without a text or a number that must be there is refused with its place', () => {
    const { text: _, ...less } = whole;
    expect(() => new Completion(schema).of(less)).toThrow(new MissingField('text'));
    const inner = z.strictObject({ rows: z.array(z.strictObject({ size: z.number() })) });
    expect(() => new Completion(inner).of({ rows: [{}] })).toThrow(new MissingField('rows.size'));
  });
});

it('a server is older when its torc or its schema is', () => {
  const info = { hostname: 'login1', pid: 7, version: version(), schema_version: schemaVersion() };
  const name = 'the server on login1 (pid 7)';
  expect(olderServer(info)).toBe(null);
  expect(olderServer({ ...info, schema_version: schemaVersion() - 1 })).toBe(name);
  expect(olderServer({ ...info, schema_version: null })).toBe(name);
  expect(olderServer({ ...info, version: '0.0.9' })).toBe(name);
  // a newer one answers all that this torc asks
  expect(olderServer({ ...info, version: '0.10.0' })).toBe(null);
  expect(olderServer({ ...info, schema_version: schemaVersion() + 1 })).toBe(null);
});

describe('what an older server refuses because it does not know it', () => {
  const refusing = (error: TorcError): Api => {
    const call = async () => {
      throw error;
    };
    return olderApi({ call, close: async () => {} }, 'the server on h (pid 7)', () => {});
  };
  const told = async (error: TorcError) =>
    await refusing(error)
      .call('demand', { workflow_key: '1' })
      .catch((thrown: TorcError) => `${thrown.code}: ${thrown.message}`);

  it('is explained', async () => {
    const endpoint = new TorcError(
      'not_found',
      'there is no such endpoint',
      'Use the same version of torc on both sides.',
    );
    expect(await told(endpoint)).toBe(
      'incompatible: the server on h (pid 7) is of an older torc: it cannot do this (demand)',
    );
    const field = new TorcError('usage', 'demand: Unrecognized key: "only_obstacles"');
    expect(await told(field)).toBe(
      'incompatible: the server on h (pid 7) is of an older torc: it cannot do this (demand with "only_obstacles")',
    );
  });

  it('any other refusal stays as it is', async () => {
    expect(await told(new TorcError('not_found', 'there is no workflow 1'))).toBe('not_found: there is no workflow 1');
  });
});
