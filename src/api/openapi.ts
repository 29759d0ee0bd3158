/**
 * The contract as an OpenAPI 3.1 document, for programs in other languages: one operation for each endpoint, its request
 * and its reply. A later version of torc may add endpoints, fields of replies and fields of requests that may be left out;
 * it takes none away. Rules that span several fields are in no schema: the server's answer names them.
 */
import { z } from 'zod';
import { type EndpointName, endpoints, limits } from './contract.ts';
import { endpointSummaries } from './endpoint-summaries.ts';
import { eventsPath } from './events.ts';
import { type ListName, records } from './records.ts';
import { idempotencyHeader, needsKey } from './repetition.ts';

export const openApiPath = '/v1/openapi.json';

type Schema = Record<string, unknown>;

let made: { version: string; document: Schema } | null = null;

/** `version`: that of torc. It is made once, because that takes a fifth of a second. */
export function openApiDocument(version: string): Schema {
  if (made?.version !== version) made = { version, document: makeDocument(version) };
  return made.document;
}

function makeDocument(version: string): Schema {
  const names = Object.keys(endpoints) as EndpointName[];
  const schemas: Schema = { error: errorSchema };
  for (const name of names) {
    schemas[`${name}_request`] = schemaOf(endpoints[name].request, 'input');
    schemas[`${name}_reply`] = name === 'list' ? listReply : schemaOf(endpoints[name].reply(), 'output');
  }
  for (const name of Object.keys(records) as ListName[]) {
    schemas[`record_of_${name}`] = schemaOf(records[name](), 'output');
  }
  return {
    openapi: '3.1.0',
    info: { title: 'torc', version, summary: 'A batch orchestrator for Slurm clusters', description },
    security: [{ token: [] }],
    paths: {
      ...Object.fromEntries(names.map((name) => [`/v1/${name}`, { post: operation(name) }])),
      [eventsPath]: { get: eventStream },
      [openApiPath]: { get: thisDocument },
    },
    components: {
      schemas,
      responses: { error: errorResponse },
      parameters: { idempotency_key: keyHeader },
      securitySchemes,
    },
  };
}

const description = `Every endpoint is a POST of JSON over HTTPS. The server directory has all that a client needs:
server.json has the address and the fingerprint of the certificate, and its token goes into the header Authorization.
What plans has dry_run: true prints what false would do. Keys are strings, durations are in the unit that their name ends
in, instants are ISO 8601 in UTC. A missing value is null; ignore fields of a reply that you do not know.`.replaceAll(
  '\n',
  ' ',
);

const errorSchema: Schema = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string', description: 'What kind of error it is, for programs' },
        message: { type: 'string', description: 'What is wrong, for people' },
        hint: { type: ['string', 'null'], description: 'What to do next' },
      },
      required: ['code', 'message', 'hint'],
    },
  },
  required: ['error'],
};

const errorResponse: Schema = {
  description: 'Nothing was changed, and why',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/error' } } },
};

const securitySchemes: Schema = { token: { type: 'http', scheme: 'bearer' } };

const keyHeader: Schema = {
  name: idempotencyHeader,
  in: 'header',
  required: false,
  description:
    'New for each call. A call that is repeated with it, because its answer was lost, counts once and gets the stored reply.',
  schema: { type: 'string', pattern: '^[0-9a-f]{32}$' },
};

/** Besides 200: what the server answers to a wrong request, and when it cannot serve one now. */
const errorStatuses = [400, 401, 404, 409, 500, 503];
const errors = Object.fromEntries(errorStatuses.map((status) => [status, { $ref: '#/components/responses/error' }]));

function operation(name: EndpointName): Schema {
  const ref = (part: 'request' | 'reply'): Schema => ({
    'application/json': { schema: { $ref: `#/components/schemas/${name}_${part}` } },
  });
  return {
    operationId: name,
    summary: endpointSummaries[name],
    ...(needsKey(name, {}) ? { parameters: [{ $ref: '#/components/parameters/idempotency_key' }] } : {}),
    requestBody: { required: true, content: ref('request') },
    responses: { 200: { description: 'Done', content: ref('reply') }, ...errors },
  };
}

const eventStream: Schema = {
  operationId: 'events',
  summary: 'What happens, as server-sent events; the header Last-Event-ID goes on after the event with that id.',
  responses: {
    200: { description: 'A stream', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    ...errors,
  },
};

const thisDocument: Schema = {
  operationId: 'openapi',
  summary: 'This document.',
  responses: {
    200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    ...errors,
  },
};

/** Its records are those of the list that was asked for. */
const listReply: Schema = {
  type: 'object',
  properties: {
    records: {
      type: 'array',
      maxItems: limits.listPage,
      items: { anyOf: Object.keys(records).map((name) => ({ $ref: `#/components/schemas/record_of_${name}` })) },
    },
    more: { type: 'boolean', description: 'Whether rows follow these' },
  },
  required: ['records', 'more'],
};

/** Replies may get more fields. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _, ...made } = z.toJSONSchema(schema, {
    io,
    // a value of a user, which may be any JSON
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      // what programs of other languages do not know: Unicode classes in regular expressions, items by place
      if (jsonSchema.pattern?.includes('\\p{') === true) {
        jsonSchema['x-ecma-pattern'] = jsonSchema.pattern;
        delete jsonSchema.pattern;
      }
      if (jsonSchema.prefixItems !== undefined) {
        jsonSchema['x-items-by-place'] = jsonSchema.prefixItems;
        delete jsonSchema.prefixItems;
        delete jsonSchema.items;
      }
    },
  });
  return made;
}
