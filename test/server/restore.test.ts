/** A backup replaces a newer database while workers of the newer one keep running. */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

/** The same worker, which knows about the change only what it is told. */
async function carriedOver(worker: TestWorker, service: Service): Promise<TestWorker> {
  const same: TestWorker = Object.create(Object.getPrototypeOf(worker));
  return Object.assign(same, worker, { api: service });
}

const jobs = Array.from({ length: 8 }, (_, index) => ({ name: `j${index}` }));

it.each([
  ['made by torc', true],
  ['copied by hand while nothing ran', false],
])('%s: jobs of the lost part are stopped on the worker, nothing counts twice, no key is reused', async (_, isMade) => {
  const directory = temporaryDirectory();
  const copy = join(directory, 'copy');
  let service = await openService(directory, systemClock, 'test');
  service.beginEpoch();
  const key = await createWorkflow(service, jobs);
  let known = await TestWorker.join(service, key, { cpus: 3 });
  const [a, b, c] = (await known.exchange()).jobs.map((job) => job.attempt);
  await known.finish(a ?? 0, 0, { draining: true });
  if (isMade) await service.call('server_backup', { path: copy });
  else {
    await service.close();
    copyFileSync(join(directory, 'torc.db'), copy);
    service = await openService(directory, systemClock, 'test');
    service.beginEpoch();
    known = await carriedOver(known, service);
  }

  // all of this is lost: an end, new claims, a worker, a workflow
  await known.finish(b ?? 0, 3);
  const lostAttempts = known.held.filter((attempt) => attempt !== c);
  expect(lostAttempts.length).toBeGreaterThan(0);
  let unknown = await TestWorker.join(service, key, { cpus: 2 });
  const itsAttempts = (await unknown.exchange()).jobs.map((job) => job.attempt);
  const lostKey = await createWorkflow(service, [{ name: 'lost' }]);
  const { epoch } = service;
  await service.close();

  copyFileSync(copy, join(directory, 'torc.db'));
  service = await openService(directory, systemClock, 'test');
  expect(service.beginEpoch()).toBeGreaterThan(epoch);
  known = await carriedOver(known, service);
  unknown = await carriedOver(unknown, service);

  const first = await known.exchange({ epoch, draining: true });
  expect(first.stop).toEqual(lostAttempts.map((attempt) => ({ attempt, reason: 'superseded' })));
  // b was running at the time of the backup, and the worker no longer has it: nobody knows how it ended
  const lost = await rows(service, 'results', key, { status: 'lost' });
  expect(lost.map((result) => result.job_name)).toEqual(['j1']);
  expect(await rows(service, 'jobs', key, { name: 'j1' })).toMatchObject([{ status: 'ready' }]);
  const late = await known.finish(lostAttempts[0] ?? 0, 0, { draining: true });
  expect(late.reports).toMatchObject([{ answer: 'rejected' }]);
  known.held = known.held.filter((attempt) => attempt === c);

  expect((await unknown.exchange({ epoch })).unknown_worker).toBe(true);
  const { workerId, ack } = unknown;
  unknown = await TestWorker.join(service, key, { cpus: 2 }, null, { worker_id: workerId });
  Object.assign(unknown, { ack, held: [...itsAttempts], seq: 50 });
  const again = await unknown.exchange({ epoch });
  expect(again.stop.map(({ attempt }) => attempt)).toEqual(itsAttempts);
  const given = again.jobs.map((job) => job.attempt);
  expect(Math.min(...given)).toBeGreaterThan(Math.max(...itsAttempts, ...lostAttempts));
  const newKey = await createWorkflow(service, [{ name: 'new' }]);
  expect(Number(newKey)).toBeGreaterThan(Number(lostKey));

  unknown.held = given;
  await known.finish(c ?? 0, 0, { draining: true });
  for (let turn = 0; unknown.held.length > 0 && turn < 20; turn++) await unknown.finish(unknown.held[0] ?? 0);
  await service.call('workflow_restart', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    ignore_missing_data: false,
    only_uninitialized: false,
    keep_running: false,
    force: true,
    assume_stopped: false,
    working_directory: directory,
  });
  const last = await TestWorker.join(service, key);
  for (const { attempt } of (await last.exchange()).jobs) await last.finish(attempt);
  expect(new Set(Object.values(await statuses(service, key)))).toEqual(new Set(['done']));
  const results = await rows(service, 'results', key);
  const ended = results.filter((result) => result.return_code !== null);
  expect(ended.map((result) => result.job_name).toSorted()).toEqual(jobs.map(({ name }) => name));
  expect(brokenInvariants(service.db)).toEqual([]);
  expect((await service.call('server_check', {})).problems).toEqual([]);
  await service.close();
  rmSync(directory, { recursive: true });
});

it('a log that a killed server left beside the previous database does not overwrite the backup', async () => {
  const directory = temporaryDirectory();
  const copy = join(directory, 'copy');
  const first = await openService(directory, systemClock, 'test');
  const key = await createWorkflow(first, [{ name: 'a' }]);
  await first.call('server_backup', { path: copy });
  await createWorkflow(first, [{ name: 'b' }]);
  // as a killed server leaves it: with the log, without the lock and the holder
  const killed = temporaryDirectory();
  mkdirSync(killed, { recursive: true });
  copyFileSync(join(directory, 'torc.db-wal'), join(killed, 'torc.db-wal'));
  copyFileSync(copy, join(killed, 'torc.db'));
  writeFileSync(join(killed, 'epoch'), '5\n');
  const second = await openService(killed, systemClock, 'test');
  expect((await rows(second, 'workflows', null)).map((row) => row.workflow_key)).toEqual([key]);
  expect((await second.call('server_check', {})).sound).toBe(true);
  await second.close();
  await first.close();
  for (const made of [directory, killed]) rmSync(made, { recursive: true });
});
