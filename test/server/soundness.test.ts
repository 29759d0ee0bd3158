/** What a check reports about broken state, and databases that cannot be used at all. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, TestWorker, temporaryDirectory } from '../support/service.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory, 'torc.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): Promise<Service> => openService(directory, systemClock, 'test');

it.each([
  ['UPDATE jobs SET num_blockers = 7 WHERE job_key = 2', '2', "job 2 'b' has num_blockers 7, which should be 1"],
  ['UPDATE jobs SET num_failed_upstreams = 1 WHERE job_key = 2', '2', 'has num_failed_upstreams 1, which should be 0'],
  [`UPDATE jobs SET status = 'odd' WHERE job_key = 2`, '2', 'has the unknown status odd'],
  [`UPDATE jobs SET status = 'ready' WHERE job_key = 2`, '2', 'is ready although it waits'],
  [`UPDATE jobs SET status = 'submitted' WHERE job_key = 2`, '2', 'is submitted without a running attempt'],
  [`UPDATE jobs SET status = 'ready' WHERE job_key = 1`, '1', 'is ready although an attempt of it runs'],
  ['UPDATE jobs SET workflow_key = 77 WHERE job_key = 1', '1', 'belongs to a workflow that does not exist'],
  ['UPDATE jobs SET shape_key = 77 WHERE job_key = 1', '1', 'has no stored resource requirements'],
  ['DELETE FROM jobs WHERE job_key = 1', '2', 'depends on a job that does not exist'],
  ['DELETE FROM jobs WHERE job_key = 1', '1', 'does not exist, but its attempt 1 of run 1 does'],
  ['UPDATE attempts SET is_live = 0', '1', 'is submitted_pending without a running attempt'],
  ['UPDATE attempts SET num_cpus = 99', null, 'use more than it has'],
  ['UPDATE barriers SET num_blockers = 5', null, 'group 1 of jobs has num_blockers 5'],
  [`UPDATE job_counts SET n = 12 WHERE status = 'blocked'`, null, 'the count of blocked jobs is 12, which should be 3'],
])('a check finds: %s', async (sql, jobKey, words) => {
  const service = await open();
  const key = await createWorkflow(
    service,
    ['a', 'b', 'c', 'd'].map((name) => ({ name })),
    [
      [0, 1],
      [1, -1],
      [-1, 2],
      [-1, 3],
    ],
    { numBarriers: 1 },
  );
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  expect(await service.call('server_check', {})).toMatchObject({ sound: true, num_jobs: 4, num_attempts: 1 });
  service.db.run(sql);
  const found = await service.call('server_check', {});
  expect(found.sound).toBe(false);
  const about = found.problems.filter((problem) => problem.job_key === jobKey);
  expect(about.map(({ message }) => message).join()).toContain(words);
  await service.close();
});

describe('a database that cannot be used', () => {
  it.each<[string, () => void]>([
    ['garbage', () => writeFileSync(path, 'not a database, but long enough to be one '.repeat(200))],
    ['cut off', () => truncateSync(path, 20_000)],
    ['empty', () => truncateSync(path, 0)],
    ['a directory', () => replaceBy(() => void mkdirSync(path))],
    ["another program's", () => replaceBy(() => change('CREATE TABLE x (y)'))],
    ['newer than this program', () => change('PRAGMA user_version = 999')],
  ])('because it is %s: is told with a way out, left as it is, and nothing is left open', async (_what, damage) => {
    await (await open()).close();
    damage();
    const look = () => (statSync(path).isFile() ? readFileSync(path, 'latin1') : 'a directory');
    const before = look();
    await expect(open()).rejects.toMatchObject({ code: 'unusable', hint: expect.stringContaining('--dir') });
    expect(look() === before).toBe(true);
    expect(readdirSync(directory)).not.toContain('holder.json');
    rmSync(path, { recursive: true });
    await (await open()).close();
  });
});

function replaceBy(make: () => void): void {
  rmSync(path);
  make();
}

function change(sql: string): void {
  const db = new Sqlite(path);
  db.pragma('journal_mode = DELETE');
  db.exec(sql);
  db.close();
}
