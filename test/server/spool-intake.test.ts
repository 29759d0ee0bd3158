import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { type SpooledReport, spoolLine } from '../../src/api/spool.ts';
import { systemClock } from '../../src/base/clock.ts';
import { takeInSpools } from '../../src/server/evidence/spool-intake.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Database } from '../../src/storage/database/database.ts';
import { stateToken } from '../../src/storage/running/workflows.ts';
import { createWorkflow, finished, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

function spooled(worker: TestWorker, attempt: number, returnCode: number): SpooledReport {
  const { attempt: _, start_age_ms: __, age_ms: ___, ...rest } = finished(attempt, returnCode);
  const now = Date.now();
  return { worker_id: worker.workerId, attempt, finished: rest, started_at_ms: now - 2000, ended_at_ms: now - 1000 };
}

it('a report that a dead worker spooled counts once; a cut record and an unknown worker do not count', async () => {
  const directory = temporaryDirectory();
  const first = await openService(directory, systemClock, 'test');
  const key = await createWorkflow(first, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[0, 2]]);
  const worker = await TestWorker.join(first, key, { cpus: 2 });
  const [a, b] = (await worker.exchange()).jobs;
  await first.close();

  const folder = join(directory, 'workers', worker.workerId);
  mkdirSync(folder, { recursive: true });
  const whole = spoolLine(spooled(worker, a?.attempt ?? 0, 0));
  const cut = spoolLine(spooled(worker, b?.attempt ?? 0, 0)).slice(0, -20);
  writeFileSync(join(folder, 'spool'), whole + cut);
  mkdirSync(join(directory, 'workers', 'f'.repeat(32)));
  writeFileSync(join(directory, 'workers', 'f'.repeat(32), 'spool'), spoolLine(spooled(worker, b?.attempt ?? 0, 0)));

  for (let pass = 0; pass < 2; pass++) {
    const again = await openService(directory, systemClock, 'test');
    expect(await statuses(again, key)).toEqual({ a: 'done', b: 'submitted_pending', c: 'ready' });
    expect(await rows(again, 'results', key)).toHaveLength(1);
    await again.close();
  }
  rmSync(directory, { recursive: true });
});

/** What a plan or a reader of events would notice. */
async function traces(service: Service, key: string): Promise<{ state: string; numEvents: number }> {
  const { numEvents } = service.db.get<{ numEvents: number }>('SELECT count(*) AS numEvents FROM events') ?? {
    numEvents: 0,
  };
  return { state: stateToken(service.view, Number(key)), numEvents };
}

it('two thousand superseded reports of a worker that is gone leave no trace, and their spool is removed', async () => {
  const directory = temporaryDirectory();
  const first = await openService(directory, systemClock, 'test');
  const key = await createWorkflow(
    first,
    Array.from({ length: 20 }, (_, index) => ({ name: `j${index}` })),
  );
  const worker = await TestWorker.join(first, key, { cpus: 20 });
  const { jobs } = await worker.exchange();
  for (const { attempt } of jobs) await worker.finish(attempt);
  await worker.exchange({ draining: true, leaving: true });
  const before = await traces(first, key);
  await first.close();

  const folder = join(directory, 'workers', worker.workerId);
  mkdirSync(folder, { recursive: true });
  const reports = jobs.flatMap(({ attempt }) => Array.from({ length: 100 }, () => spooled(worker, attempt, 1)));
  expect(reports).toHaveLength(2_000);
  writeFileSync(join(folder, 'spool'), reports.map(spoolLine).join(''));

  for (let opening = 0; opening < 2; opening++) {
    const again = await openService(directory, systemClock, 'test');
    expect(await traces(again, key)).toEqual(before);
    expect(existsSync(folder)).toBe(false);
    await again.close();
  }
  rmSync(directory, { recursive: true });
});

it('a spool for which the disk has no room stays, and commands that read still work', async () => {
  const directory = temporaryDirectory();
  const first = await openService(directory, systemClock, 'test');
  const key = await createWorkflow(first, [{ name: 'a' }]);
  const worker = await TestWorker.join(first, key, { cpus: 2 });
  const [a] = (await worker.exchange()).jobs;
  await first.close();
  const folder = join(directory, 'workers', worker.workerId);
  mkdirSync(folder, { recursive: true });
  const report = spooled(worker, a?.attempt ?? 0, 0);
  const detail = 'x'.repeat(3_000_000);
  writeFileSync(
    join(folder, 'spool'),
    spoolLine({ ...report, finished: report.finished === null ? null : { ...report.finished, detail } }),
  );
  const open = Database.open.bind(Database);
  const opening = vi.spyOn(Database, 'open').mockImplementation((path) => {
    const db = open(path);
    db.run(`PRAGMA max_page_count = ${db.get('PRAGMA page_count')?.page_count}`);
    return db;
  });
  const full = await openService(directory, systemClock, 'test');
  opening.mockRestore();
  expect(await statuses(full, key)).toEqual({ a: 'submitted_pending' });
  expect(existsSync(join(folder, 'spool'))).toBe(true);
  await full.close();
  const again = await openService(directory, systemClock, 'test');
  expect(await statuses(again, key)).toEqual({ a: 'done' });
  await again.close();
  rmSync(directory, { recursive: true });
});

it('hundreds of reports share a transaction', async () => {
  const directory = temporaryDirectory();
  const service = await openService(directory, systemClock, 'test');
  const numJobs = 600;
  const key = await createWorkflow(
    service,
    Array.from({ length: numJobs }, (_, index) => ({ name: `j${index}` })),
  );
  const worker = await TestWorker.join(service, key, { cpus: numJobs });
  while (worker.held.length < numJobs) await worker.exchange();
  const folder = join(directory, 'workers', worker.workerId);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'spool'), worker.held.map((attempt) => spoolLine(spooled(worker, attempt, 0))).join(''));

  let numWrites = 0;
  const { view, info, machine, isLost } = service;
  const write: Service['write'] = (work) => {
    numWrites += 1;
    return service.write(work);
  };
  expect(await takeInSpools({ view, info, machine, isLost, write })).toBe(numJobs);
  expect(numWrites).toBe(2);
  await service.close();
  rmSync(directory, { recursive: true });
});
