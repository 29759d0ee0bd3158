/** Node-hours and CPU-hours of allocations. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { allocationHours, type JobTime, totalHours, type WorkerTime } from '../../src/model/decide/node-hours.ts';

const hour = 3_600_000;

const worker = (given: Partial<WorkerTime> & { computeNodeKey: number }): WorkerTime => ({
  allocationKey: null,
  slurmJobId: null,
  hostname: `host${given.computeNodeKey}`,
  restartCount: 0,
  numNodes: 1,
  numCpus: 4,
  startedAt: 0,
  endedAt: hour,
  ...given,
});
const time = (hadHours: number, usedHours: number): JobTime => {
  return { numAttempts: 2, hadMs: hadHours * hour, usedMs: usedHours * hour };
};

function hoursOf(
  workers: WorkerTime[],
  sizes: [number, number][] = [],
  jobs: [number, JobTime][] = [],
  now = 10 * hour,
) {
  return allocationHours(workers, { numNodes: new Map(sizes), jobs: new Map(jobs), now });
}

it('an allocation counts all its nodes, for as long as one of its workers was there', () => {
  const [row, ...others] = hoursOf(
    [
      worker({ computeNodeKey: 1, allocationKey: 7, slurmJobId: '99', startedAt: 0, endedAt: hour }),
      worker({ computeNodeKey: 2, allocationKey: 7, slurmJobId: '99', startedAt: hour, endedAt: 2 * hour }),
    ],
    [[7, 3]],
    [
      [1, time(6, 3)],
      [2, time(12, 9)],
    ],
  );
  expect(others).toEqual([]);
  expect(row).toEqual({
    allocation_key: '7',
    slurm_job_id: '99',
    hostname: null,
    num_nodes: 3,
    num_workers: 2,
    num_attempts: 4,
    is_running: false,
    startedAt: 0,
    endedAt: 2 * hour,
    node_hours: 6,
    cpu_hours: 24,
    job_cpu_hours: 18,
    used_cpu_hours: 12,
    idle_share: 0.25,
    efficiency: 0.5,
  });
});

it('what runs counts until now, and between two starts of a requeued allocation nothing does', () => {
  const rows = hoursOf(
    [
      worker({ computeNodeKey: 1, allocationKey: 7, restartCount: 0, startedAt: 0, endedAt: hour }),
      worker({ computeNodeKey: 2, allocationKey: 7, restartCount: 1, startedAt: 8 * hour, endedAt: null }),
      worker({ computeNodeKey: 3, startedAt: 9 * hour, endedAt: null, numNodes: 2 }),
    ],
    [[7, 1]],
  );
  expect(rows).toMatchObject([
    { allocation_key: '7', node_hours: 3, is_running: true, endedAt: null, hostname: null },
    { allocation_key: null, node_hours: 2, cpu_hours: 8, is_running: true, hostname: 'host3', idle_share: 1 },
  ]);
  expect(totalHours(rows)).toMatchObject({
    num_workers: 3,
    node_hours: 5,
    cpu_hours: 20,
    job_cpu_hours: 0,
    efficiency: 0,
  });
});

it('nothing has no shares', () => {
  expect(totalHours([])).toMatchObject({ node_hours: 0, idle_share: null, efficiency: null });
});

it('totals are the sums over workers, however they are divided into allocations', () => {
  const someWorker = fc.record({
    allocation: fc.option(fc.integer({ min: 1, max: 3 })),
    startedAt: fc.integer({ min: 0, max: 9 * hour }),
    had: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(someWorker, { maxLength: 8 }), (given) => {
      const workers = given.map(({ allocation, startedAt }, at) =>
        worker({
          computeNodeKey: at + 1,
          allocationKey: allocation,
          restartCount: at,
          startedAt,
          endedAt: startedAt + hour,
        }),
      );
      const jobs = given.map(({ had }, at): [number, JobTime] => [at + 1, time(had, had / 2)]);
      const total = totalHours(hoursOf(workers, [], jobs));
      const sum = given.reduce((all, { had }) => all + had, 0);
      expect(total).toMatchObject({ num_workers: given.length, node_hours: given.length, cpu_hours: 4 * given.length });
      expect([total.job_cpu_hours, total.used_cpu_hours]).toEqual([sum, sum / 2]);
    }),
  );
});
