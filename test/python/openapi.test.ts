/** The OpenAPI document, read by other people's programs, against a real server. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServerFile } from '../../src/api/server-file.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { mainJs } from '../support/torc.ts';

const run = promisify(execFile);
const bin = process.env.TORC_TEST_PYTHON ?? '';
const document = join(dirname(mainJs), '..', 'openapi.json');

let place: Place;
beforeAll(async () => {
  place = newPlace();
  await place.torc('server', 'start', '--daemon');
});
afterAll(() => place.remove());

it('is valid', async () => {
  const { stdout } = await run(join(bin, 'python'), ['-m', 'openapi_spec_validator', document]);
  expect(stdout).toBe(`${document}: OK\n`);
});

/** These end or change the server that is tested, write where they are told to, send messages, or never end. */
const left = ['server_stop', 'server_rotate_token', 'server_backup', 'notifications_test', 'events'];
/** What they report of later servers ends this one. */
const ofWorkers = ['worker_hello', 'exchange'];

it('says what the server answers to whatever is sent', async () => {
  const server = JSON.parse(readFileSync(join(place.dir, 'server.json'), 'utf8')) as ServerFile;
  const config = join(place.path, 'schemathesis.toml');
  // a token on a command line is for everybody to see
  writeFileSync(config, `headers = { Authorization = "Bearer ${server.token}" }\n`, { mode: 0o600 });
  const port = server.addresses[0]?.split(':').at(-1);
  const words = [
    ...['--config-file', config, 'run', document, '--url', `https://127.0.0.1:${port}`, '--tls-verify', 'false'],
    ...['--phases', 'fuzzing', '--max-examples', '10', '--request-timeout', '120', '--seed', '1', '--no-color'],
    ...['--checks', 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance'],
    ...[...left, ...ofWorkers].flatMap((name) => ['--exclude-operation-id', name]),
  ];
  const { stdout } = await run(join(bin, 'schemathesis'), words, { cwd: place.path, maxBuffer: 2 ** 26 }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  expect(stdout).toMatch(/\n {2}(\d+) generated, \1 passed/);
  const numTested = Number(/Tested: (\d+)/.exec(stdout)?.[1]);
  const { paths } = JSON.parse(readFileSync(document, 'utf8')) as { paths: object };
  expect(numTested).toBe(Object.keys(paths).length - left.length - ofWorkers.length);
  expect((await place.torc('server', 'info')).code).toBe(0);
});
