/** Any mixture of spools, and a server that dies while it reads them: no report of an open attempt is ever dropped. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type SpooledReport, spoolLine } from '../../src/api/spool.ts';
import { systemClock } from '../../src/base/clock.ts';
import { takeInSpools } from '../../src/server/evidence/spool-intake.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { type ComputeNode, closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { createWorkflow, finished, TestWorker, temporaryDirectory } from '../support/service.ts';

const numJobs = 4;

interface Line {
  attempt: number;
  report: 'returned' | 0 | 1;
  isCut: boolean;
  /** The attempt belongs to the next worker. */
  isForeign: boolean;
}

interface Case {
  workers: { isClosed: boolean; ended: boolean[]; spool: Line[] }[];
  /** Where the first server dies. */
  dies: 'never' | 'before the commit' | 'before the removal';
}

const line: fc.Arbitrary<Line> = fc.record({
  attempt: fc.nat(numJobs - 1),
  report: fc.constantFrom<Line['report'][]>('returned', 0, 1),
  isCut: fc.nat(9).map((n) => n === 0),
  isForeign: fc.nat(9).map((n) => n === 0),
});

const cases: fc.Arbitrary<Case> = fc.record({
  workers: fc.array(
    fc.record({
      isClosed: fc.boolean(),
      ended: fc.array(fc.boolean(), { minLength: numJobs, maxLength: numJobs }),
      spool: fc.array(line, { minLength: 1, maxLength: 8 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  dies: fc.constantFrom('never', 'before the commit', 'before the removal'),
});

interface Attempt {
  attempt_key: number;
  compute_node_key: number;
  is_open: number;
  end_status: string | null;
  return_code: number | null;
}

function attemptsOf(service: Service): Map<number, Attempt> {
  const rows = service.db.all<Attempt>(
    'SELECT *, is_live = 1 OR is_occupying = 1 AS is_open FROM attempts ORDER BY attempt_key',
  );
  return new Map(rows.map((row) => [row.attempt_key, row]));
}

function numEvents(service: Service): number {
  return service.db.get<{ n: number }>('SELECT count(*) AS n FROM events')?.n ?? 0;
}

function spooled(workerId: string, attempt: number, report: Line['report']): SpooledReport {
  const now = Date.now();
  if (report === 'returned') {
    return { worker_id: workerId, attempt, finished: null, started_at_ms: null, ended_at_ms: now };
  }
  const { attempt: _, start_age_ms: __, age_ms: ___, ...rest } = finished(attempt, report);
  return { worker_id: workerId, attempt, finished: rest, started_at_ms: now, ended_at_ms: now };
}

interface Left {
  computeNodeKey: number;
  /** Also by the server itself, when the run has ended. */
  isClosed: boolean;
  path: string;
  /** By attempt, the first complete report of its own worker. */
  first: Map<number, Line['report']>;
}

/** Brings workers, attempts and spools into the state of the case. */
async function arrange(service: Service, directory: string, { workers }: Case): Promise<Left[]> {
  const joined: { worker: TestWorker; attempts: number[] }[] = [];
  for (const { ended } of workers) {
    const key = await createWorkflow(
      service,
      ended.map((_, index) => ({ name: `j${index}` })),
    );
    const worker = await TestWorker.join(service, key, { cpus: numJobs, maxJobs: numJobs });
    const attempts = (await worker.exchange()).jobs.map(({ attempt }) => attempt);
    expect(attempts).toHaveLength(numJobs);
    for (const [index, attempt] of attempts.entries()) if (ended[index]) await worker.finish(attempt, 0);
    joined.push({ worker, attempts });
  }
  const left: Left[] = [];
  for (const [index, { isClosed, spool }] of workers.entries()) {
    const { worker } = joined[index] ?? raise();
    const { computeNodeKey } = nodeOf(service, worker);
    if (isClosed) await service.write((tx) => closeComputeNode(tx, computeNodeKey, 'cut off'));
    const first: Left['first'] = new Map();
    const lines = spool.map(({ attempt, report, isCut, isForeign }) => {
      const { attempts } = joined[(index + (isForeign ? 1 : 0)) % joined.length] ?? raise();
      const key = attempts[attempt] ?? raise();
      const isOwn = joined[index]?.attempts.includes(key) === true;
      if (!isCut && isOwn && !first.has(key)) first.set(key, report);
      const text = spoolLine(spooled(worker.workerId, key, report));
      return isCut ? `${text.slice(0, -20)}\n` : text;
    });
    const path = join(directory, 'workers', worker.workerId, 'spool');
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, lines.join(''));
    left.push({ computeNodeKey, isClosed: !nodeOf(service, worker).isActive, path, first });
  }
  return left;
}

function nodeOf(service: Service, { workerId }: TestWorker): ComputeNode {
  return findComputeNode(service.view, workerId) ?? raise();
}

function raise(): never {
  throw new Error('the case is not what the test thinks');
}

class Died extends Error {}

/** The intake of a server that dies at the given point. */
async function takeInUntil(service: Service, dies: Case['dies']): Promise<void> {
  if (dies === 'never') return;
  const { view, info, isLost } = service;
  const removeSpool = (): void => {
    throw new Died();
  };
  const write: Service['write'] =
    dies === 'before the commit' ? () => Promise.reject(new Died()) : service.write.bind(service);
  const context = { view, info, isLost, write, machine: { ...service.machine, removeSpool } };
  await takeInSpools(context).catch((error: unknown) => {
    if (!(error instanceof Died)) throw error;
  });
}

function check(service: Service, left: readonly Left[], before: ReadonlyMap<number, Attempt>): void {
  const after = attemptsOf(service);
  for (const { computeNodeKey, isClosed, path, first } of left) {
    const own = [...before.values()].filter((attempt) => attempt.compute_node_key === computeNodeKey);
    for (const { attempt_key, is_open, ...was } of own) {
      const now = after.get(attempt_key) ?? raise();
      const report = is_open === 1 ? first.get(attempt_key) : undefined;
      if (report === undefined) expect(now).toEqual({ attempt_key, is_open, ...was });
      else if (report === 'returned') expect(now).toMatchObject({ is_open: 0, end_status: 'returned' });
      else expect(now).toMatchObject({ is_open: 0, end_status: 'done', return_code: report });
    }
    const isNeeded = !isClosed || own.some(({ attempt_key }) => after.get(attempt_key)?.is_open === 1);
    expect(existsSync(path)).toBe(isNeeded);
  }
}

it('every report of an open attempt is applied once, and a spool is removed when nobody needs it', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (given) => {
      const directory = temporaryDirectory();
      try {
        const first = await openService(directory, systemClock, 'test');
        const left = await arrange(first, directory, given);
        const before = attemptsOf(first);
        await takeInUntil(first, given.dies);
        await first.close();

        const second = await openService(directory, systemClock, 'test');
        check(second, left, before);
        const events = numEvents(second);
        await second.close();

        const third = await openService(directory, systemClock, 'test');
        check(third, left, before);
        expect(numEvents(third)).toBe(events);
        await third.close();
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 20 },
  );
});
