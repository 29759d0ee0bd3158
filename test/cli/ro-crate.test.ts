/** A run as an RO-Crate: what it says, that it keeps secrets, and that it follows the published rules of its profile. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import type { Context } from '../../src/cli/context/context.ts';
import { writeCrateFiles } from '../../src/cli/documents/ro-crate-files.ts';
import { newPlace, type Place } from './place.ts';

interface Entity {
  '@id': string;
  '@type': string | string[];
  [property: string]: unknown;
}

const hostile = 'a <script> "b" {"@id": "./"}';

let place: Place;
let entities: Map<string, Entity>;
beforeAll(async () => {
  place = newPlace();
  place.file('in.txt', 'four');
  const files = ['in.txt', 'mid.txt', 'never.txt'].map((path) => ({ name: path.replace('.txt', ''), path }));
  const user_data = [
    { name: 'limits', data: { high: 12, login: 'password=hunter2secret' } },
    { name: 'word', data: 'forty "two"' },
    { name: 'answer', data: 1 },
  ];
  const jobs = [
    {
      name: 'copy',
      command: 'cp in.txt mid.txt',
      input_files: ['in'],
      output_files: ['mid'],
      input_user_data: ['limits'],
    },
    { name: hostile, command: 'curl --password hunter2secret; exit 3', input_files: ['mid'], output_files: ['never'] },
    {
      name: 'again',
      command: 'echo x >> tries; [ $(wc -l < tries) = 2 ]',
      max_retries: 1,
    },
    { name: 'unreached', command: 'true', input_files: ['never'], output_user_data: ['answer'] },
  ];
  const spec = { name: 'w', description: 'Two jobs.', env: { API_TOKEN: 'tokenvalue17' }, files, user_data, jobs };
  await place.torc('run', place.file('w.json', JSON.stringify(spec)), '-o', 'out');
  const made = await place.json(['workflows', 'export', '1', '--ro-crate', 'crate']);
  const path = join(place.path, 'crate');
  expect(made).toEqual({ workflow_key: '1', path, num_runs: 1, num_attempts: 4, num_files: 3 });
  const { '@graph': graph } = JSON.parse(written('ro-crate-metadata.json')) as { '@graph': Entity[] };
  entities = new Map(graph.map((entity) => [entity['@id'], entity]));
  expect(entities.size).toBe(graph.length);
});
afterAll(() => place.remove());

/** Of a job of the workflow. */
const jobKey = (name: string): string => {
  const found = [...entities.values()].find((entity) => entity['@id'].startsWith('#job-') && entity.name === name);
  return found?.['@id'].slice('#job-'.length) ?? '';
};
const userDataId = (name: string): string => {
  const found = [...entities.values()].find((entity) => entity['@type'] === 'PropertyValue' && entity.name === name);
  return found?.['@id'] ?? '';
};
const written = (name: string): string => readFileSync(join(place.path, 'crate', name), 'utf8');
const fileId = (name: string): string => pathToFileURL(join(place.path, name)).href;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

it('has the specification, the run, the attempts, the files with checksums', async () => {
  const ofType = (type: string) => [...entities.values()].filter((entity) => [entity['@type']].flat().includes(type));
  expect(entities.get('./')).toMatchObject({ mainEntity: { '@id': 'workflow.json' }, description: 'Two jobs.' });
  const specification = written('workflow.json');
  expect(entities.get('workflow.json')).toMatchObject({
    sha256: sha256(specification),
    contentSize: String(Buffer.byteLength(specification)),
  });
  expect(entities.get(fileId('in.txt'))).toMatchObject({ '@type': 'File', contentSize: '4', sha256: sha256('four') });
  expect(entities.get(fileId('never.txt'))).not.toHaveProperty('sha256');
  const { results } = await place.json<{ results: Record<string, unknown>[] }>(['results', 'list', '-k', '1']);
  const instant = (value: unknown): string => String(value).replace('Z', '+00:00');
  for (const { job_key, job_name, attempt_id, start_time, end_time, return_code } of results) {
    const action = entities.get(`#attempt-${job_key}-1-${attempt_id}`);
    expect(action).toMatchObject({ instrument: { '@id': `#job-${job_key}` }, startTime: instant(start_time) });
    expect(action).toMatchObject({ endTime: instant(end_time) });
    expect(action?.description).toContain(`return code ${return_code}`);
    expect(entities.get(`#job-${job_key}`)?.name).toBe(job_name);
  }
  const [copied, broken] = ['copy', hostile].map((name) => entities.get(`#attempt-${jobKey(name)}-1-1`));
  const ended = 'http://schema.org/CompletedActionStatus';
  const inputs = [fileId('in.txt'), userDataId('limits')].map((id) => ({ '@id': id }));
  expect(copied).toMatchObject({ object: inputs, result: { '@id': fileId('mid.txt') }, actionStatus: ended });
  expect(broken).toMatchObject({
    actionStatus: 'http://schema.org/FailedActionStatus',
    error: 'exit_code, return code 3',
  });
  expect(broken).not.toHaveProperty('result');
  const object = [...inputs, { '@id': userDataId('word') }];
  expect(entities.get('#run-1')).toMatchObject({ object, instrument: { '@id': 'workflow.json' } });
  expect(ofType('Person')).toHaveLength(1);
});

it('has the jobs as steps, and which attempts were made of them in the run', () => {
  const refs = (ids: string[]) => ids.map((id) => ({ '@id': id }));
  const [copy, broken, again, unreached] = ['copy', hostile, 'again', 'unreached'].map(jobKey);
  const all = [copy, broken, again, unreached];
  const workflow = entities.get('workflow.json');
  expect(workflow?.['@type']).toContain('HowTo');
  expect(workflow?.step).toEqual(refs(all.map((key) => `#step-${key}`)));
  // the profile wants an action of each
  expect(workflow?.hasPart).toEqual(refs([copy, broken, again].map((key) => `#job-${key}`)));
  for (const key of all) {
    const workExample = { '@id': `#job-${key}` };
    expect(entities.get(`#step-${key}`)).toMatchObject({ '@type': 'HowToStep', workExample });
  }
  const status = (word: string) => `http://schema.org/${word}ActionStatus`;
  const ran = { '@type': 'ControlAction', instrument: { '@id': `#step-${again}` }, actionStatus: status('Completed') };
  const attempts = refs([1, 2].map((attempt) => `#attempt-${again}-1-${attempt}`));
  expect(entities.get(`#step-${again}-run-1`)).toMatchObject({ ...ran, object: attempts });
  expect(entities.get(`#step-${broken}-run-1`)).toMatchObject({ actionStatus: status('Failed') });
  expect(entities.has(`#step-${unreached}-run-1`)).toBe(false);
  const engine = entities.get('#engine-run-1');
  expect(engine).toMatchObject({ instrument: { '@id': '#torc' }, result: { '@id': '#run-1' } });
  const objects = [engine?.object].flat().map((each) => (each as Entity)['@id']);
  expect(new Set(objects)).toEqual(new Set([copy, broken, again].map((key) => `#step-${key}-run-1`)));
});

it('has what comes from outside as inputs of the workflow, with their values', () => {
  const inputs = [entities.get('workflow.json')?.input].flat().map((each) => entities.get((each as Entity)['@id']));
  const types = inputs.map((each) => [each?.['@type'], each?.name, each?.additionalType]);
  expect(types).toEqual([
    ['FormalParameter', 'in', 'File'],
    ['FormalParameter', 'limits', 'PropertyValue'],
    ['FormalParameter', 'word', 'Text'],
  ]);
  for (const input of inputs) {
    const example = input?.workExample as Entity;
    expect(entities.get(example['@id'])).toMatchObject({ name: input?.name, exampleOfWork: { '@id': input?.['@id'] } });
  }
  expect(entities.get(fileId('mid.txt'))).not.toHaveProperty('exampleOfWork');
  expect(entities.get(userDataId('word'))?.value).toBe('forty "two"');
  expect(JSON.parse(String(entities.get(userDataId('limits'))?.value))).toEqual({ high: 12, login: 'password=***' });
});

it('follows the profiles of runs only when something ran', async () => {
  const unrun = await place.create('true');
  await place.json(['workflows', 'export', unrun, '--ro-crate', 'unrun']);
  const text = readFileSync(join(place.path, 'unrun', 'ro-crate-metadata.json'), 'utf8');
  expect(text).toContain('workflow-ro-crate/1.0');
  expect(text).not.toContain('ro/wfrun/');
  expect(text).not.toContain('ControlAction');
  expect(written('ro-crate-metadata.json')).toContain('wfrun/provenance/0.5');
});

it('names only what it contains', () => {
  const named = new Set<string>();
  const look = (value: unknown, isTop: boolean): void => {
    if (typeof value !== 'object' || value === null) return;
    const id = (value as Entity)['@id'];
    if (!isTop && typeof id === 'string') named.add(id);
    for (const each of Object.values(value)) look(each, false);
  };
  for (const entity of entities.values()) look(entity, true);
  const outside = [...named].filter((id) => !entities.has(id));
  expect(outside).toEqual(['https://w3id.org/ro/crate/1.1']);
});

it('contains no secrets', () => {
  for (const name of ['ro-crate-metadata.json', 'workflow.json']) {
    for (const secret of ['hunter2secret', 'tokenvalue17']) expect(written(name)).not.toContain(secret);
  }
});

it('does not write over anything', async () => {
  const again = await place.torc('workflows', 'export', '1', '--ro-crate', 'crate');
  expect([again.code, again.stderr]).toEqual([4, expect.stringContaining('crate already exists')]);
  place.file('used.zip', 'mine');
  const zip = await place.torc('workflows', 'export', '1', '--ro-crate', 'used.zip');
  expect([zip.code, zip.stderr]).toEqual([4, expect.stringContaining('used.zip already exists')]);
  expect(readFileSync(join(place.path, 'used.zip'), 'utf8')).toBe('mine');
  const both = await place.torc('workflows', 'export', '1', '--ro-crate', 'other', '--results');
  expect(both.code).toBe(2);
  expect(existsSync(join(place.path, 'other'))).toBe(false);
});

it('files need not be read', async () => {
  mkdirSync(join(place.path, 'empty'));
  await place.torc('workflows', 'export', '1', '--ro-crate', 'empty', '--no-hashes');
  const text = readFileSync(join(place.path, 'empty', 'ro-crate-metadata.json'), 'utf8');
  const { '@graph': graph } = JSON.parse(text) as { '@graph': Entity[] };
  const input = graph.find((entity) => entity['@id'] === fileId('in.txt'));
  expect(input).toMatchObject({ contentSize: '4' });
  expect(input).not.toHaveProperty('sha256');
});

it('a zip file appears only when it is complete', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'torc-crate-'));
  const path = join(folder, 'crate.zip');
  const context = { clock: { now: () => 0 } } as Context;
  async function* broken(): AsyncGenerator<string> {
    yield '{';
    throw new TorcError('busy', 'the server is gone');
  }
  async function* whole(): AsyncGenerator<string> {
    expect(existsSync(path)).toBe(false);
    yield '{}';
  }
  const write = (...pieces: (() => AsyncIterable<string>)[]) =>
    writeCrateFiles(
      context,
      path,
      pieces.map((each, index) => ({ name: `${index}.json`, pieces: each })),
    );
  try {
    await expect(write(whole, broken)).rejects.toThrow('the server is gone');
    expect(readdirSync(folder)).toEqual([]);
    await write(whole, whole);
    expect(readdirSync(folder)).toEqual(['crate.zip']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** scripts/test-programs installs it, where it can. */
const validator = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'torc-tests', 'ro-crate-1');
const python = join(validator, 'bin', 'python');

it.runIf(existsSync(join(validator, 'ready')))(
  'is valid by the published rules of the Provenance Run Crate profile',
  async () => {
    const check = join(import.meta.dirname, '..', 'support', 'check-ro-crate.py');
    // the validator does not find a crate in a folder whose name has spaces
    const plain = mkdtempSync(join(tmpdir(), 'torc-crate-'));
    const run = promisify(execFile);
    try {
      cpSync(join(place.path, 'crate'), plain, { recursive: true });
      const checked = async (path = plain, profile = 'provenance-run-crate') => {
        const { stdout } = await run(python, [check, path, profile]);
        return JSON.parse(stdout) as { passed: boolean; issues: { message: string }[] };
      };
      // the rules include those of RO-Crate, Process Run Crate, Workflow Run Crate and Workflow RO-Crate
      expect(await checked()).toEqual({ passed: true, issues: [] });
      const zip = join(plain, 'crate.zip');
      await place.json(['workflows', 'export', '1', '--ro-crate', zip]);
      expect(await checked(zip)).toEqual({ passed: true, issues: [] });
      const unrun = join(plain, 'unrun.zip');
      await place.json(['workflows', 'export', await place.create('true'), '--ro-crate', unrun]);
      expect(await checked(unrun, 'workflow-ro-crate')).toEqual({ passed: true, issues: [] });
      const unpacked = join(plain, 'unpacked');
      await run(python, ['-m', 'zipfile', '-e', zip, unpacked]);
      expect(readdirSync(unpacked).sort()).toEqual(['ro-crate-metadata.json', 'workflow.json']);
      const undated = (text: string) => text.replace(/"datePublished":"[^"]+"/, '');
      for (const name of readdirSync(unpacked)) {
        expect(undated(readFileSync(join(unpacked, name), 'utf8'))).toBe(undated(written(name)));
      }
      for (const [property, broken] of [
        ['programmingLanguage', '"language":'],
        ['hasPart', '"parts":'],
        ['workExample', '"example":'],
        ['additionalType', '"type":'],
      ] as const) {
        const text = written('ro-crate-metadata.json');
        const entity = { workExample: 'HowToStep', additionalType: 'FormalParameter' }[property as string];
        const at = text.indexOf(`"${property}":`, text.indexOf(entity ?? 'HowTo"]'));
        expect(at).toBeGreaterThan(0);
        const rest = text.slice(at + property.length + 3);
        writeFileSync(join(plain, 'ro-crate-metadata.json'), `${text.slice(0, at)}${broken}${rest}`);
        const { passed, issues } = await checked();
        expect(passed).toBe(false);
        expect(issues.map(({ message }) => message)).toContainEqual(expect.stringContaining(property));
      }
    } finally {
      rmSync(plain, { recursive: true });
    }
  },
  600_000,
);

it('leaves nothing beside the zip file when it is interrupted', async () => {
  const another = newPlace();
  try {
    // reading all of it takes hours
    truncateSync(another.file('endless', ''), 2 ** 43);
    const jobs = [{ name: 'a', command: 'true', input_files: ['endless'] }];
    const spec = another.file(
      'w.json',
      JSON.stringify({ name: 'w', files: [{ name: 'endless', path: 'endless' }], jobs }),
    );
    await another.torc('run', spec);
    const begun = () => readdirSync(another.path).filter((name) => name.startsWith('crate.zip'));
    const { child, ended } = another.start('workflows', 'export', '1', '--ro-crate', 'crate.zip');
    await expect.poll(begun, { timeout: 60_000 }).toHaveLength(1);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 130 });
    expect(begun()).toEqual([]);
  } finally {
    await another.remove();
  }
});
