/** The demand against every single job: the same counts, the same reasons, and reasons that agree with claims. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { DemandReply, DemandRow } from '../../src/api/demand.ts';
import type { Reason } from '../../src/model/decide/reason.ts';
import type { Service } from '../../src/server/service.ts';
import { inTransaction, type Transaction } from '../../src/storage/database/transaction.ts';
import { claimJobs } from '../../src/storage/running/claims.ts';
import { closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { forgetReadyJobs } from '../../src/storage/running/ready-jobs.ts';
import { moveJob } from '../../src/storage/running/transitions.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

const minute = 60_000;

const job = fc.record({
  cpus: fc.integer({ min: 1, max: 5 }),
  gpuThousandths: fc.constantFrom(0, 0, 0, 500, 2000),
  memory: fc.constantFrom(500, 2000),
  nodes: fc.constantFrom(1, 1, 1, 2),
  /** Seconds; three minutes of the time left are kept for the end, so ten minutes do not fit into twelve. */
  runtime: fc.constantFrom(undefined, undefined, 600, 3500),
  slurmConfig: fc.constantFrom(undefined, undefined, 0, 1),
  labels: fc.constantFrom<(string[] | undefined)[]>(undefined, undefined, undefined, ['x'], ['local'], ['x', 'y']),
  supportsTermination: fc.constantFrom(false, false, true),
  after: fc.array(fc.nat(), { maxLength: 2 }),
});

const worker = fc.record({
  cpus: fc.integer({ min: 1, max: 4 }),
  gpus: fc.constantFrom(0, 0, 1, 2),
  memory: fc.constantFrom(1000, 4000),
  nodes: fc.constantFrom(1, 1, 2),
  config: fc.constantFrom(null, null, 1, 2),
  labels: fc.constantFrom<string[][]>([], [], [], ['x'], ['y', 'x']),
  minutesLeft: fc.constantFrom(4, 5, 12, 50, 120),
  state: fc.constantFrom('idle', 'busy', 'busy', 'silent', 'ended'),
});

/** What happens to a waiting job outside the protocol. */
const change = fc.record({
  at: fc.nat(),
  what: fc.constantFrom('hold', 'hold', 'hold_with_end', 'reset'),
});

type Worker = typeof worker extends fc.Arbitrary<infer T> ? T : never;

function timeLeftMs({ config, minutesLeft }: Worker): number | null {
  return config === null ? null : (minutesLeft - 3) * minute;
}

async function join(service: Service, key: string, given: Worker): Promise<TestWorker> {
  const { nodes, cpus, memory, gpus, config, labels, minutesLeft, state } = given;
  const one = await TestWorker.join(service, key, { nodes, cpus, memory, gpus }, null, { labels });
  await service.write((tx) => {
    if (config === null) return;
    const { key: allocation } = tx.db.run(
      `INSERT INTO allocations (workflow_key, slurm_config_key, name, status, num_nodes, one_worker_per_node,
         script_path, output_directory, created_at, expires_at) VALUES (?, ?, ?, 'running', 1, 0, '', '', 0, ?)`,
      Number(key),
      config,
      one.workerId,
      tx.now + minutesLeft * minute,
    );
    tx.db.run('UPDATE compute_nodes SET allocation_key = ? WHERE worker_id = ?', allocation, one.workerId);
  });
  await service.write((tx) => {
    const node = findComputeNode(tx, one.workerId);
    if (node === null) throw new Error('it has not joined');
    if (state === 'busy') claimJobs(tx, node, timeLeftMs(given));
    if (state === 'ended') closeComputeNode(tx, node.computeNodeKey, 'it has left');
  });
  return one;
}

/** Holds and resets, as a person or a retry would make them. */
function changeJob(tx: Transaction, jobKey: number, what: 'hold' | 'hold_with_end' | 'reset'): void {
  const found = tx.db.get<{ status: 'ready' | 'blocked' }>('SELECT status FROM jobs WHERE job_key = ?', jobKey);
  if (found?.status !== 'ready' && found?.status !== 'blocked') return;
  const state = { jobKey, workflowKey: 1, status: found.status, failed: false };
  if (what === 'reset') {
    moveJob(tx, state, { to: 'uninitialized', by: 'reset' });
    return;
  }
  const isTimed = what === 'hold_with_end';
  const until = isTimed ? tx.now + jobKey * minute : null;
  tx.db.run(
    'INSERT INTO holds (workflow_key, job_key, kind, until) VALUES (1, ?, ?, ?)',
    jobKey,
    isTimed ? 'retry' : 'person',
    until,
  );
  tx.db.run('UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key = ?', jobKey);
  if (found.status === 'ready') moveJob(tx, state, { to: 'blocked', by: 'restart' });
}

/** Without the parts that differ between jobs of one row, or from one moment to the next. */
function common(reason: Reason): Reason {
  if (reason.code === 'waits_for_upstreams') return { code: reason.code, total: null, first: [] };
  if (reason.code === 'outlasts_workers') return { ...reason, longest_seconds: 0 };
  return reason.code === 'held' ? { ...reason, until: null } : reason;
}

function identity(
  row: Omit<DemandRow, 'num_jobs' | 'reasons' | 'expected_runtime_seconds'>,
  reasons: Reason[],
): string {
  const asked = (
    [
      ...(['status', 'num_cpus', 'memory_bytes', 'num_gpus', 'num_nodes', 'runtime_seconds'] as const),
      ...(['slurm_config_key', 'labels'] as const),
    ] as const
  ).map((field) => row[field]);
  return JSON.stringify([asked, row.supports_termination, reasons.map(common)]);
}

/** The rows of the demand as a person would make them: by asking about every job. */
async function askedOneByOne(service: Service, key: string): Promise<{ rows: Map<string, number>; ready: JobAsked[] }> {
  const asked = new Map<string, number>();
  const ready: JobAsked[] = [];
  for (const listed of await rows(service, 'jobs', key)) {
    if (!['uninitialized', 'blocked', 'ready'].includes(String(listed.status))) continue;
    const { reasons } = await service.call('job_show', { job_key: String(listed.job_key) });
    const stored = service.db.get<{ stated: number; config: number; stops: number }>(
      `SELECT s.is_runtime_stated AS stated, s.slurm_config_key AS config, j.supports_termination AS stops FROM jobs j JOIN shapes s USING (shape_key)
       WHERE j.job_key = ?`,
      Number(listed.job_key),
    );
    const row = {
      ...(listed as unknown as DemandRow),
      runtime_seconds: stored?.stated === 1 ? (listed.runtime_seconds as number) : null,
      slurm_config_key: stored?.config === 0 ? null : String(stored?.config),
      supports_termination: stored?.stops === 1,
    };
    const id = identity(row, reasons);
    asked.set(id, (asked.get(id) ?? 0) + 1);
    if (listed.status === 'ready') ready.push({ jobKey: Number(listed.job_key), reasons });
  }
  return { rows: asked, ready };
}

const obstacles = ['larger_than_any_worker', 'no_worker_with_resources', 'outlasts_configs', 'no_worker_with_labels'];

function hasObstacle({ reasons }: DemandRow): boolean {
  return reasons.some(({ code }) => obstacles.includes(code));
}

interface JobAsked {
  jobKey: number;
  reasons: Reason[];
}

interface Joined {
  given: Worker;
  worker: TestWorker;
}

/** Whether one of the workers would be given the job if it were the only one that is ready. */
function canClaim(service: Service, jobKey: number, workers: Joined[], isIdle: boolean): boolean {
  return workers.some(({ given, worker: { workerId } }) =>
    inTransaction(service.db, service.clock.now(), (tx) =>
      tx.rehearse(() => {
        tx.db.run(`UPDATE jobs SET status = 'disabled' WHERE status = 'ready' AND job_key <> ?`, jobKey);
        forgetReadyJobs(tx, 1);
        if (isIdle) {
          tx.db.run('UPDATE attempts SET is_occupying = 0');
          tx.db.run('DELETE FROM attempt_gpus');
          tx.db.run('UPDATE workflows SET paused_at = NULL, is_stopping = 0');
        }
        const node = findComputeNode(tx, workerId);
        return node?.isActive === true && claimJobs(tx, node, isIdle ? null : timeLeftMs(given)) === 1;
      }),
    ),
  );
}

function expectTrue(service: Service, { jobKey, reasons }: JobAsked, workers: Joined[], flags: number): void {
  const heard = workers.filter(({ given }) => given.state !== 'silent');
  const codes = reasons.map(({ code }) => code);
  const isClaimable = canClaim(service, jobKey, heard, false);
  expect(codes.includes('waits_for_turn') && flags === 0).toBe(isClaimable);
  const fitsSomewhere = canClaim(service, jobKey, workers, true);
  const unable = ['no_worker', 'no_worker_of_config', 'no_worker_with_labels', 'workers_exclusive'];
  const able = !codes.some((code) => unable.includes(code));
  if (able) expect(codes.includes('larger_than_any_worker')).toBe(!fitsSomewhere);
  else expect(fitsSomewhere).toBe(false);
}

const world = fc.record({
  jobs: fc.array(job, { minLength: 1, maxLength: 12 }),
  workers: fc.array(worker, { maxLength: 4 }),
  changes: fc.array(change, { maxLength: 4 }),
  isPaused: fc.constantFrom(0, 0, 0, 1),
  isStopping: fc.constantFrom(0, 0, 0, 1),
  start: fc.constantFrom(true, true, true, false),
});

it('is the sum of the reasons of each job', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(world, async ({ jobs, workers, changes, isPaused, isStopping, start }) => {
      const { service, close } = await freshService();
      try {
        service.lastHeard.beginServing();
        const edges = jobs.flatMap(({ after }, at) =>
          at === 0 ? [] : [...new Set(after.map((n) => n % at))].map((before): [number, number] => [before, at]),
        );
        const named = jobs.map(({ runtime, slurmConfig, labels, ...needs }, at) => ({
          ...needs,
          name: `j${at}`,
          ...(runtime === undefined ? {} : { runtime }),
          ...(slurmConfig === undefined ? {} : { slurmConfig }),
          ...(labels === undefined ? {} : { labels }),
        }));
        const key = await createWorkflow(service, named, edges, { slurmConfigs: ['a', 'b'], start });
        const joined: Joined[] = [];
        for (const given of workers) joined.push({ given, worker: await join(service, key, given) });
        await service.write((tx) => {
          for (const { at, what } of changes) changeJob(tx, 1 + (at % jobs.length), what);
          tx.db.run('UPDATE workflows SET paused_at = nullif(?, 0), is_stopping = ?', isPaused, isStopping);
          for (const { given, worker } of joined) {
            if (given.state !== 'silent') continue;
            tx.db.run('UPDATE compute_nodes SET contact_lost_at = 1 WHERE worker_id = ?', worker.workerId);
          }
        });
        const reply: DemandReply = await service.call('demand', { workflow_key: key });
        const asked = await askedOneByOne(service, key);
        expect(new Map(reply.demand.map((row) => [identity(row, row.reasons), row.num_jobs]))).toEqual(asked.rows);
        const { demand } = await service.call('demand', { workflow_key: key, only_obstacles: true });
        expect(demand.filter(hasObstacle)).toEqual(reply.demand.filter(hasObstacle));
        for (const one of asked.ready) expectTrue(service, one, joined, isPaused + isStopping);
      } finally {
        await close();
      }
    }),
    { numRuns: 60 },
  );
});
