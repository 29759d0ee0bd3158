/** `torc server backup` and `torc server check`, and the errors of an unusable database. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockSeerPath } from '../../src/base/program.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;

beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const database = (): string => join(place.dir, 'torc.db');

describe('a backup', () => {
  it('of a running server is complete and private, and restored by copying it', async () => {
    await place.json(['server', 'start', '--daemon']);
    const key = await place.create('true', 'true');
    const name = `--it's a "$backup"\n é.db`;
    const made = await place.json<Record<string, unknown>>(['server', 'backup', '--', name]);
    const path = join(place.path, name);
    expect(made).toEqual({
      path,
      size_bytes: statSync(path).size,
      schema_version: expect.any(Number),
      num_workflows: 1,
      num_jobs: 2,
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await place.create('false');
    await place.torc('server', 'stop');
    copyFileSync(path, database());
    const { workflows } = await place.json<{ workflows: { workflow_key: string }[] }>(['workflows', 'list']);
    expect(workflows.map(({ workflow_key }) => workflow_key)).toEqual([key]);
    // the key of the lost workflow is not used again
    expect(Number(await place.create('true'))).toBeGreaterThan(2);
    expect(readdirSync(place.path).filter((file) => file.includes('.part-'))).toEqual([]);
  });

  it('replaces a file only with --force, and never the database', async () => {
    await place.create('true');
    const kept = place.file('kept.db', 'precious');
    expect(await place.torc('server', 'backup', 'kept.db')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('--force'),
    });
    expect(readFileSync(kept, 'utf8')).toBe('precious');
    expect((await place.torc('server', 'backup', '--force', 'kept.db')).code).toBe(0);
    expect(readFileSync(kept, 'latin1')).toContain('SQLite format 3');
    for (const wrong of [database(), 'no/such/folder/x.db']) {
      expect((await place.torc('server', 'backup', '--force', wrong)).code).toBe(2);
    }
  });
});

it('a check ends with 0 or 4, a backup keeps no damaged copy, and an unusable database gives a one-line error', async () => {
  await place.create(...Array.from({ length: 100 }, (_, index) => `echo ${'x'.repeat(200)} ${index}`));
  expect(await place.json(['server', 'check'])).toMatchObject({ sound: true, num_jobs: 100, problems: [] });
  const db = new Sqlite(database());
  db.exec('UPDATE jobs SET num_blockers = 2 WHERE job_key = 1');
  db.close();
  expect(await place.torc('server', 'check')).toMatchObject({
    code: 4,
    stdout: expect.stringMatching(
      /^workflow 1: job 1 'job_001' has num_blockers 2, which should be 0\n(.*\n)*\d+ problems? in /,
    ),
  });
  const bytes = readFileSync(database());
  const page = Math.floor(bytes.indexOf('x'.repeat(200)) / 4096) * 4096;
  writeFileSync(database(), bytes.fill(0xa5, page, page + 200));
  expect(await place.torc('server', 'backup', 'copy.db')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('damaged'),
  });
  expect(readdirSync(place.path)).not.toContain('copy.db');
  writeFileSync(database(), 'not a database, but long enough to be one '.repeat(200));
  for (const command of [
    ['server', 'check'],
    ['server', 'start', '--daemon'],
  ]) {
    const ended = await place.torc(...command);
    expect(ended.code, ended.stderr).toBe(5);
    expect(ended.stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
  }
});

it('prune removes replaced results of earlier runs as its dry run says, and asks first', async () => {
  const key = await place.create('true', 'exit 3');
  await place.torc('workflows', 'start', key);
  await place.torc('jobs', 'run', key);
  await place.json(['workflows', 'reset-status', key, '--failed-only', '--restart']);
  await place.torc('jobs', 'run', key);
  const numResults = async () =>
    (await place.json<{ results: unknown[] }>(['results', 'list', '-k', key])).results.length;
  expect(await numResults()).toBe(3);
  const words = ['server', 'prune', '--older-than', '0s'];
  expect(await place.torc(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining('say what to prune') });
  expect(await place.torc(...words, '--attempts')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/needs confirmation\nhint: .*server prune --older-than 0s --attempts --yes\n$/),
  });
  const planned = await place.json<Record<string, unknown>>([...words, '--attempts', '--dry-run']);
  expect(planned).toMatchObject({ dry_run: true, num_workflows: 1, num_attempts: 1 });
  expect(await numResults()).toBe(3);
  const pruned = await place.json<Record<string, unknown>>([...words, '--attempts', '--yes']);
  const { before: _, ...counts } = planned;
  expect(pruned).toEqual({ ...counts, dry_run: false, before: expect.stringMatching(/Z$/) });
  expect(await numResults()).toBe(2);
  const { runs } = await place.json<{ runs: { pruned_at: string | null }[] }>(['workflows', 'runs', key]);
  expect(runs.map(({ pruned_at }) => pruned_at !== null)).toEqual([true, false]);
  expect((await place.torc(...words, '--attempts', '--yes')).stdout).toMatch(/^nothing to prune before /);
  expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
});

it('both programs by which doctor looks at locks see the lock that SQLite holds, and no lock after it', async () => {
  await place.create('true');
  const seen = async () => [
    (await place.torc('doctor', '--locked', database())).stdout,
    execFileSync(lockSeerPath(), [database()], { encoding: 'utf8' }),
  ];
  expect(await seen()).toEqual(['false\n', 'false\n']);
  const holder = new Sqlite(database());
  holder.exec('BEGIN EXCLUSIVE');
  expect(await seen()).toEqual(['true\n', 'true\n']);
  holder.close();
  expect(await seen()).toEqual(['false\n', 'false\n']);
});

it('doctor changes nothing, and sees the locks, the database and the server', async () => {
  type Doctor = { checks: { check: string; status: string; found: string }[]; num_failed: number };
  const found = ({ checks }: Doctor, check: string) => checks.find((each) => each.check === check)?.found;
  const fresh = await place.json<Doctor>(['doctor']);
  expect(fresh.num_failed).toBe(0);
  expect(readdirSync(place.path)).toEqual([]);
  await place.create('true');
  const before = readdirSync(place.dir).map((name) => [name, statSync(join(place.dir, name)).mtimeMs]);
  const stored = await place.json<Doctor>(['doctor']);
  expect(found(stored, 'database')).toMatch(/schema version \d+, pages are sound/);
  expect(found(stored, 'locks')).toBe('other processes see them');
  expect(readdirSync(place.dir).map((name) => [name, statSync(join(place.dir, name)).mtimeMs])).toEqual(before);
  await place.json(['server', 'start', '--daemon']);
  const served = await place.json<Doctor>(['doctor']);
  expect(served.num_failed).toBe(0);
  expect(found(served, 'database')).toMatch(/in use by .*server start/);
  expect(found(served, 'server')).toMatch(/answers in \d+ ms/);
  await place.torc('server', 'stop');
  writeFileSync(database(), 'no database '.repeat(100));
  const damaged = await place.torc('doctor');
  expect(damaged).toMatchObject({ code: 5, stdout: expect.stringMatching(/failed +database .*\n.*server check/) });
});
