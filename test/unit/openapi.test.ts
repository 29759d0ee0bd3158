/** The OpenAPI document: everything of the contract is in it, and a client of the version before still works. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { endpoints } from '../../src/api/contract.ts';
import { openApiDocument } from '../../src/api/openapi.ts';
import { breakingChanges, type OpenApi, type Schema } from '../support/openapi-changes.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'fixtures', 'openapi');
const document = openApiDocument('1.2.3') as unknown as OpenApi;
const changed = (change: (copy: OpenApi) => void): OpenApi => {
  const copy = structuredClone(document);
  change(copy);
  return copy;
};
const properties = (schema: Schema | undefined) => schema?.properties as Record<string, Schema>;

it('has each endpoint, with what it does', () => {
  for (const name of Object.keys(endpoints)) {
    expect(document.paths[`/v1/${name}`]?.post).toMatchObject({ summary: expect.stringMatching(/^[A-Z].*\.$/) });
  }
});

it.each(readdirSync(folder))('breaks no client of %s', (file) => {
  const older = JSON.parse(readFileSync(join(folder, file), 'utf8')) as OpenApi;
  expect(Object.keys(older.paths).length).toBeGreaterThan(70);
  expect(breakingChanges(older, document)).toEqual([]);
});

describe('the comparison of two documents finds', () => {
  const request = (copy: OpenApi) => copy.components.schemas.workflow_start_request as Schema;
  const reply = (copy: OpenApi) => copy.components.schemas.server_info_reply as Schema;
  it.each<[string, (copy: OpenApi) => void, string[]]>([
    ['an endpoint that is gone', (copy) => delete copy.paths['/v1/list'], ['/v1/list is gone']],
    [
      'a field of a request that is gone',
      (copy) => delete properties(request(copy)).dry_run,
      ['workflow_start_request.dry_run is not known'],
    ],
    [
      'a field that a request must have now',
      (copy) => {
        properties(request(copy)).more = { type: 'string' };
        request(copy).required?.push('more');
      },
      ['workflow_start_request.more may be missing'],
    ],
    [
      'a field of a reply that may be missing',
      (copy) => (reply(copy).required = reply(copy).required?.filter((name) => name !== 'epoch') ?? []),
      ['server_info_reply.epoch may be missing'],
    ],
    [
      'another type',
      (copy) => (properties(reply(copy)).epoch = { type: 'string' }),
      ['server_info_reply.epoch may be string'],
    ],
    [
      'a value that may be null',
      (copy) => (properties(reply(copy)).epoch = { anyOf: [{ type: 'integer' }, { type: 'null' }] }),
      ['server_info_reply.epoch may be null'],
    ],
  ])('%s', (_, change, expected) => {
    expect(breakingChanges(document, changed(change))).toEqual(expected);
  });

  it('nothing in what a client need not notice', () => {
    const newer = changed((copy) => {
      properties(request(copy)).more = { type: 'string' };
      properties(reply(copy)).more = { type: 'string' };
      copy.paths['/v1/more'] = {};
    });
    expect(breakingChanges(document, newer)).toEqual([]);
  });
});
