/** The groups of a drawing that are stored at creation give the same as a look at every job, whatever happens later. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddedJob } from '../../src/api/contract.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { drawNew, fewestDrawn } from '../../src/storage/authoring/new-drawing.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import { readDrawing } from '../../src/storage/lists/drawings.ts';
import { drawFromJobs } from '../../src/storage/lists/drawn-jobs.ts';
import { readGroup } from '../../src/storage/lists/group-jobs.ts';
import { getWorkflow } from '../../src/storage/running/workflows.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

/** As at the creation of a large workflow. */
function store(key: string): void {
  const { db, clock } = fresh.service;
  inTransaction(db, clock.now(), (tx) => drawNew(tx, getWorkflow(tx, Number(key))));
}

function fromJobs(key: string) {
  const { groups, edges } = drawFromJobs(fresh.service.view, Number(key));
  return { groups, edges };
}

const jobs = fc.array(fc.constantFrom('a', 'b', 'b', 'c_x'), { minLength: 2, maxLength: 30 });
const pairs = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 });
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('claim', 'claim', 'end', 'fail', 'cancel', 'rename', 'add', 'delete', 'clone'),
    which: fc.nat(),
  }),
  { maxLength: 10 },
);

describe('a stored drawing', () => {
  it('shows what the jobs are now', async () => {
    const { service } = fresh;
    let numStored = 0;
    await fc.assert(
      fc.asyncProperty(jobs, pairs, steps, fc.boolean(), fc.nat(5), async (words, edged, changes, start, longRun) => {
        const named = words.map((word, index) => ({ name: `${word}${index}` }));
        const forward = edged.map(([a, b]) => [a % words.length, b % words.length].toSorted((x, y) => x - y));
        const edges = [...new Map(forward.map((pair) => [pair.join(), pair as [number, number]])).values()];
        const acyclic = edges.filter(([a, b]) => a !== b);
        const isOverBarrier = words.length > 12 && acyclic.length === 0;
        const [before, behind] = [named.slice(0, 6), named.slice(6)];
        const barrier = [
          ...before.map((_, n): [number, number] => [n, -1]),
          ...behind.map((_, n): [number, number] => [-1, n + 6]),
        ];
        const options = { start, numBarriers: isOverBarrier ? 1 : 0 };
        let key = await createWorkflow(service, named, isOverBarrier ? barrier : acyclic, options);
        store(key);
        const workers: TestWorker[] = [];
        for (const { kind, which } of changes) {
          const all = await rows(service, 'jobs', key);
          const job_keys = [String(all[which % Math.max(1, all.length)]?.job_key)];
          const plan = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
          const name = `d${which}`;
          if (kind === 'claim' && all.some(({ status }) => status === 'ready')) {
            const worker = await TestWorker.join(service, key, { maxJobs: 1 });
            await worker.exchange();
            workers.push(worker);
          } else if (kind === 'end' || kind === 'fail') {
            const worker = workers.shift();
            const [attempt] = worker?.held ?? [];
            const leaves = { draining: true, leaving: true };
            if (attempt !== undefined) await worker?.finish(attempt, kind === 'fail' ? 1 : 0, leaves);
          } else if (kind === 'cancel') {
            await service.call('jobs_cancel', { ...plan, job_keys }).catch(() => {});
          } else if (kind === 'rename' && which % 3 === 0 && all.length > 0) {
            const change = { job_key: job_keys[0] as string, dry_run: false, changes: { name } };
            await service.call('job_modify', change).catch(() => {});
          } else if (kind === 'add' && which % 3 === 0) {
            const [job] = expandChildren([{ name, command: 'true' }], { file: 'test' }) as AddedJob[];
            await service
              .call('jobs_add', { workflow_key: key, jobs: [{ ...(job as AddedJob), hold: false }] })
              .catch(() => {});
          } else if (kind === 'delete' && which % 3 === 0) {
            await service.call('jobs_delete', { job_keys, cascade: true, dry_run: false }).catch(() => {});
          } else if (kind === 'clone') {
            const request = { workflow_key: key, how: 'clone', dry_run: false, name: null } as const;
            key = String((await service.call('workflow_copy', request)).workflow_key);
            workers.length = 0;
          }
        }
        const drawn = readDrawing(service.view, Number(key), longRun);
        if (drawn === null) return;
        numStored += 1;
        expect(drawn).toEqual(fromJobs(key));
        const keys = (await rows(service, 'jobs', key)).map(({ job_key }) => Number(job_key));
        const groups = () => keys.map((job) => readGroup(service.view, Number(key), job, 5));
        const stored = groups();
        inTransaction(service.db, service.clock.now(), (tx) => tx.db.run('DELETE FROM drawings'));
        expect(stored).toEqual(groups());
      }),
      { numRuns: 150 },
    );
    expect(numStored).toBeGreaterThan(75);
  });

  it('is not used once jobs were added, deleted or renamed', async () => {
    const { service } = fresh;
    const create = async () => {
      const key = await createWorkflow(service, [{ name: 'a1' }, { name: 'a2' }, { name: 'b1' }], [], { start: false });
      store(key);
      expect(readDrawing(service.view, Number(key))).not.toBeNull();
      return key;
    };
    const [job] = expandChildren([{ name: 'c', command: 'true' }], { file: 'test' }) as AddedJob[];
    const keyOf = async (key: string) => String((await rows(service, 'jobs', key))[0]?.job_key);
    const renamed = await create();
    const changes = { job_key: await keyOf(renamed), dry_run: false, changes: { name: 'other' } };
    await service.call('job_modify', changes);
    const last = await create();
    await service.call('jobs_delete', { job_keys: [await keyOf(last)], cascade: false, dry_run: false });
    // as many as before, and no gap
    await service.call('jobs_add', { workflow_key: last, jobs: [{ ...(job as AddedJob), hold: false }] });
    expect(await rows(service, 'jobs', last)).toHaveLength(3);
    for (const key of [renamed, last]) expect(readDrawing(service.view, Number(key))).toBeNull();
  });

  it('is stored for a large workflow whose jobs are not alike, and deleted with it', { timeout: 300_000 }, async () => {
    const { service } = fresh;
    const many = Array.from({ length: fewestDrawn }, (_, index) => ({
      name: `${index < fewestDrawn - 30_000 ? 'a' : 'b'}_${index}`,
    }));
    const key = await createWorkflow(service, many, [[0, 1]], { start: false, isAlike: true });
    const drawn = readDrawing(service.view, Number(key));
    expect(drawn?.groups.map(({ label, num_jobs }) => [label, num_jobs])).toEqual([
      ['a_0', 1],
      ['a_1', 1],
      ['a_*', fewestDrawn - 30_002],
      ['b_*', 30_000],
    ]);
    expect(drawn).toEqual(fromJobs(key));
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    expect(service.db.all('SELECT * FROM drawings')).toEqual([]);
  });
});
