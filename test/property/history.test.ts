/** Random graphs and random histories of claims and reports: after every step the stored state is sound. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlannedChange } from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { soundnessSteps } from '../../src/storage/database/soundness.ts';
import { decideOrphans, orphanAttempts } from '../../src/storage/evidence/orphans.ts';
import { findWorker } from '../../src/storage/evidence/scope.ts';
import { claimJobs } from '../../src/storage/running/claims.ts';
import { closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import {
  createWorkflow,
  finished,
  freshService,
  rows,
  rule,
  statuses,
  type TestAction,
  TestWorker,
} from '../support/service.ts';

const graph = fc
  .record({
    jobs: fc.array(
      fc.record({
        cpus: fc.integer({ min: 1, max: 3 }),
        nodes: fc.constantFrom(1, 1, 1, 2, 3),
        priority: fc.integer({ min: 0, max: 2 }),
        cancelOnFailure: fc.boolean(),
        failureHandler: fc.constantFrom(undefined, 0, 1, 2, 2),
      }),
      { minLength: 1, maxLength: 9 },
    ),
    links: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 14 }),
    // each barrier stands between the jobs below and those above a cut
    barriers: fc.array(fc.record({ cut: fc.nat(), above: fc.nat(), below: fc.nat() }), { maxLength: 2 }),
    actions: fc.array(
      fc.record({
        trigger: fc.constantFrom('on_workflow_start', 'on_jobs_ready', 'on_jobs_complete', 'on_workflow_complete'),
        bits: fc.nat(),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ jobs, links, barriers, actions }) => {
    const edges = new Map<string, [number, number]>();
    const add = (a: number, b: number) => edges.set(`${a} ${b}`, [a, b]);
    for (const [a, b] of links) {
      const [low, high] = [a % jobs.length, b % jobs.length].sort((x, y) => x - y) as [number, number];
      if (low !== high) add(low, high);
    }
    for (const [index, { cut, above, below }] of barriers.entries()) {
      const at = cut % jobs.length;
      if (at === 0) continue;
      for (let job = 0; job < at; job++) if ((below >> job) % 2 === 0 || job === 0) add(job, -1 - index);
      for (let job = at; job < jobs.length; job++) if ((above >> job) % 2 === 0) add(-1 - index, job);
    }
    return {
      jobs: jobs.map((job, index) => ({ ...job, name: `j${index}` })),
      edges: [...edges.values()],
      numBarriers: barriers.length,
      actions: actions.map(({ trigger, bits }) => ({
        trigger,
        jobs: trigger.startsWith('on_workflow_') ? [] : jobs.flatMap((_, n) => ((bits >> n) % 2 === 1 ? [n] : [])),
      })),
    };
  });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('exchange' as const), worker: fc.nat(2) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('finish' as const),
      worker: fc.nat(2),
      pick: fc.nat(),
      code: fc.constantFrom(0, 0, 1, 1, 2),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const), worker: fc.nat(2), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('return' as const), worker: fc.nat(2), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), worker: fc.nat(2), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('terminate' as const), worker: fc.nat(2), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), worker: fc.nat(2), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), worker: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('time passes' as const),
      worker: fc.nat(2),
      seconds: fc.constantFrom(5, 45),
    }),
  },
  // a worker leaves without having seen its last jobs, perhaps after a cancel
  { weight: 3, arbitrary: fc.record({ do: fc.constant('leave' as const), worker: fc.nat(2), pick: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('lose' as const),
      worker: fc.nat(2),
      cause: fc.constantFrom('worker_lost', 'node_failure', 'culprit', 'victim'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('decide' as const), worker: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('roll back' as const), worker: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), worker: fc.nat(2), stop: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), worker: fc.nat(2), pause: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      worker: fc.nat(2),
      mode: fc.constantFrom('plain', 'only_uninitialized', 'keep_running', 'force'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('copy' as const),
      worker: fc.nat(2),
      how: fc.constantFrom('clone', 'rerun'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'reset' as const,
        'disable' as const,
        'mark' as const,
        'hold' as const,
        'release' as const,
        'cancel jobs' as const,
      ),
      worker: fc.nat(2),
      bits: fc.nat(),
    }),
  },
);

/** Nodes of each worker. */
const sizes = [1, 3, 5] as const;

describe('histories', () => {
  it('every step keeps the stored state sound', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(graph, fc.array(step, { maxLength: 40 }), async (shape, steps) => {
        const { service, clock, close } = await timedService();
        try {
          const key = await createWorkflow(service, shape.jobs, shape.edges, options(shape));
          await service.call('workflow_modify', { workflow_key: key, changes: { max_losses: maxLosses } });
          expect(brokenInvariants(service.db)).toEqual([]);
          const workers = await Promise.all(
            [0, 1, 2].map((at) => TestWorker.join(service, key, { cpus: 4, nodes: sizes[at] })),
          );
          const past: number[] = [];
          let results: unknown[] = [];
          for (const action of steps) {
            const worker = await employed(service, key, workers, action.worker);
            if (action.do === 'time passes') await clock.advance(action.seconds * 1000);
            else await take(service, key, worker, action, past);
            expect([...brokenInvariants(service.db), ...brokenTries(service), ...overdue(service)]).toEqual([]);
            const now = await rows(service, 'results', key);
            expect(now.filter((result) => results.some((old) => same(old, result)))).toEqual(results);
            results = now;
          }
          expect([...soundnessSteps(service.db)].flatMap((look) => look())).toEqual([]);
        } finally {
          await close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it('a workflow whose workers continue ends with nothing ready or blocked', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(graph, fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 2)), async (shape, codes) => {
        const { service, clock, close } = await timedService();
        try {
          const key = await createWorkflow(service, shape.jobs, shape.edges, options(shape));
          const worker = await TestWorker.join(service, key, { cpus: 4, nodes: 3 });
          while (hasReady(service)) {
            await worker.exchange();
            while (worker.held.length > 0) await worker.finish(worker.held[0] as number, codes.next().value as number);
            await clock.advance(45_000);
          }
          const left = Object.values(await statuses(service, key)).filter((s) => s !== 'done' && s !== 'canceled');
          expect(left).toEqual([]);
          expect(wronglyFinal(service)).toEqual([]);
        } finally {
          await close();
        }
      }),
      { numRuns: 40 },
    );
  });
});

/** A service on its own clock, with the timekeeper of a serving process. */
async function timedService() {
  const clock = new FakeClock();
  const { service, close } = await freshService(clock);
  const timekeeper = new Timekeeper(service);
  timekeeper.start();
  return {
    service,
    clock,
    async close() {
      timekeeper.close();
      await close();
    },
  };
}

function hasReady({ db }: Service): boolean {
  return db.get(`SELECT 1 FROM jobs WHERE status = 'ready'`) !== undefined;
}

/** Due rows that should have been done by now. */
function overdue({ db, clock }: Service): string[] {
  return db.all('SELECT kind, subject_key FROM due WHERE due_at <= ?', clock.now()).map((due) => JSON.stringify(due));
}

/**
 * Code 1 is retried once, by the third handler twice, after a delay; 2 is retried twice, by the second handler only.
 */
const failureHandlers = [
  [rule({ exit_codes: [1], max_retries: 1 })],
  [rule({ exit_codes: [1], max_retries: 1 }), rule({ exit_codes: [2], max_retries: 2, recovery_script: 'x' })],
  [rule({ exit_codes: [1], max_retries: 2, retry_delay_ms: 20_000, retry_backoff: 2 })],
];
const mostRetries: Record<string, number> = { h0: 1, h1: 2, h2: 2 };

function options({ numBarriers, actions }: { numBarriers: number; actions: TestAction[] }) {
  return { numBarriers, actions, failureHandlers };
}

const maxLosses = 2;

function brokenTries(service: Service): string[] {
  return [...brokenRetries(service), ...brokenLosses(service)];
}

/** No job is lost more often in a run than its workflow allows, and no failure is a loss. */
function brokenLosses({ db }: Service): string[] {
  const often = db.all(
    'SELECT job_key, run_id, count(*) AS n FROM attempts WHERE is_loss = 1 GROUP BY 1, 2 HAVING n > ?',
    maxLosses,
  );
  const failures = db.all(
    `SELECT attempt_key FROM attempts WHERE is_loss = 1 AND end_status NOT IN ('lost', 'terminated')`,
  );
  return [...often, ...failures].map((row) => JSON.stringify(row));
}

/** States that a job with a failure handler must never be in. */
function brokenRetries(service: Service): string[] {
  return service.db
    .all(
      `SELECT j.job_key, j.status, j.num_retries, j.recovery_attempt_key, h.name,
         (SELECT max(n) FROM (SELECT count(*) AS n FROM attempts a WHERE a.job_key = j.job_key
           AND a.end_status = 'done' GROUP BY a.run_id)) AS ends
       FROM jobs j LEFT JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key`,
    )
    .flatMap((job) => {
      const most = job.name === null ? 0 : (mostRetries[job.name as string] as number);
      const broken: string[] = [];
      if ((job.num_retries as number) > most) broken.push(`job ${job.job_key}: ${job.num_retries} retries`);
      if ((job.ends as number) > most + 1) broken.push(`job ${job.job_key} ended ${job.ends} times in one run`);
      const hasEnded = job.status === 'done' || job.status === 'uninitialized';
      if (job.recovery_attempt_key !== null && hasEnded) {
        broken.push(`job ${job.job_key} is ${job.status} and to recover from a failure`);
      }
      return broken;
    });
}

/** Failed jobs whose last code their handler would have retried. */
function wronglyFinal(service: Service): unknown[] {
  return service.db.all(
    `SELECT j.job_key FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key
     WHERE j.failed = 1 AND (a.return_code = 1 AND j.num_retries < 1
       OR h.name = 'h1' AND a.return_code = 2 AND j.num_retries < 2
       OR h.name = 'h2' AND a.return_code = 1 AND j.num_retries < 2)`,
  );
}

/** The same attempt of the same run. */
function same(a: unknown, b: unknown): boolean {
  const [left, right] = [a, b] as Record<string, unknown>[];
  return ['job_key', 'run_id', 'attempt_id'].every((column) => left?.[column] === right?.[column]);
}

/** The worker with this number, or a new one in its place when it has been closed. */
async function employed(service: Service, key: string, workers: TestWorker[], at: number): Promise<TestWorker> {
  const worker = workers[at] as TestWorker;
  const node = service.db.get('SELECT is_active FROM compute_nodes WHERE worker_id = ?', worker.workerId);
  if (node?.is_active === 1) return worker;
  const next = await TestWorker.join(service, key, { cpus: 4, nodes: sizes[at] });
  workers[at] = next;
  return next;
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Service = Awaited<ReturnType<typeof freshService>>['service'];

/** A run that has ended is not canceled. */
async function cancel(service: Service, key: string): Promise<void> {
  const { ended_at } = await service.call('workflow_show', { workflow_key: key });
  try {
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
  } catch (error) {
    if (!(error instanceof TorcError) || error.code !== 'conflict') throw error;
    expect(ended_at).not.toBeNull();
  }
}

/** A dry run says what then happens; when one of the jobs has ended none is canceled. */
async function cancelJobs(service: Service, key: string, bits: number): Promise<void> {
  const jobs = (await rows(service, 'jobs', key)).filter((_, n) => (bits >> n) % 2 === 1);
  if (jobs.length === 0) return;
  const request = {
    workflow_key: key,
    expected_state: null,
    skip: 0,
    job_keys: jobs.map((job) => String(job.job_key)),
  };
  const states = () =>
    service.db.all('SELECT j.job_key, status, stop_reason FROM jobs j LEFT JOIN attempts USING (attempt_key)');
  const before = states();
  const call = async (dry_run: boolean) => service.call('jobs_cancel', { ...request, dry_run });
  if (jobs.some(({ status }) => /done|terminated|disabled/.test(String(status)))) {
    await expect(call(false)).rejects.toMatchObject({ code: 'conflict' });
    expect(states()).toEqual(before);
    return;
  }
  const planned = await call(true);
  expect(states()).toEqual(before);
  expect({ ...(await call(false)), dry_run: true }).toEqual(planned);
  const stopping = jobs.filter(({ status, orphaned }) => /submitted/.test(String(status)) && orphaned === false);
  expect(planned.num_stopping).toBe(stopping.length);
}

/** A run that has ended is not paused. */
async function pause(service: Service, key: string, paused: boolean): Promise<void> {
  const { ended_at, status } = await service.call('workflow_show', { workflow_key: key });
  try {
    await service.call('workflow_pause', { workflow_key: key, paused });
  } catch (error) {
    if (!(error instanceof TorcError) || error.code !== 'conflict') throw error;
    expect([paused, ended_at === null, status === 'paused']).toEqual([true, false, false]);
  }
}

/** A dry run says what then happens; jobs that run or are done are not held, and when no other was named it says so. */
async function hold(service: Service, key: string, bits: number, isHeld: boolean): Promise<void> {
  const jobs = (await rows(service, 'jobs', key)).filter((_, n) => (bits >> n) % 2 === 1);
  if (jobs.length === 0) return;
  const request = { workflow_key: key, expected_state: null, skip: 0, hold: isHeld };
  const job_keys = jobs.map(({ job_key }) => String(job_key));
  const cannot = ({ status }: (typeof jobs)[number]) => isHeld && /submitted|done|disabled/.test(String(status));
  const held = () => service.db.all('SELECT job_key FROM holds ORDER BY hold_key');
  const before = held();
  const call = async (dry_run: boolean) => service.call('jobs_hold', { ...request, job_keys, dry_run });
  if (jobs.every(cannot)) {
    await expect(call(false)).rejects.toMatchObject({ code: 'conflict' });
    expect(held()).toEqual(before);
    return;
  }
  const planned = await call(true);
  expect(held()).toEqual(before);
  expect({ ...(await call(false)), dry_run: true }).toEqual(planned);
  expect(planned.num_changes).toBe(jobs.filter((job) => job.held !== isHeld && !cannot(job)).length);
  expect(planned.num_kept).toBe(jobs.filter(cannot).length);
}

/** A copy leaves its source as it was, and inherits only what succeeded, with nothing fresh upstream of it. */
async function copy(service: Service, key: string, how: 'clone' | 'rerun'): Promise<void> {
  const state = async (workflow: string) => [
    await rows(service, 'jobs', workflow),
    await rows(service, 'results', workflow),
  ];
  const before = await state(key);
  const { ended_at } = await service.call('workflow_show', { workflow_key: key });
  const request = { workflow_key: key, how, name: null };
  try {
    const planned = await service.call('workflow_copy', { ...request, dry_run: true });
    const made = await service.call('workflow_copy', { ...request, dry_run: false });
    expect({ ...made, dry_run: true, workflow_key: null }).toEqual(planned);
    await inheritsOnlySuccess(service, key, made.workflow_key ?? '');
    await service.call('workflow_start', { workflow_key: made.workflow_key ?? '', dry_run: false });
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    expect([how, error.code === 'already_complete' || ended_at === null]).toEqual(['rerun', true]);
  }
  expect(await state(key)).toEqual(before);
}

async function inheritsOnlySuccess(service: Service, source: string, target: string): Promise<void> {
  const was = new Map((await rows(service, 'jobs', source)).map((job) => [job.name, job]));
  for (const job of await rows(service, 'jobs', target)) {
    const before = was.get(job.name);
    if (job.status === 'done') expect([before?.outcome, job.cause]).toEqual(['success', 'inherited']);
    else expect(['uninitialized', 'disabled']).toContain(job.status);
    if (job.status === 'disabled') expect(before?.status).toBe('disabled');
    const { upstream } = await service.call('job_show', { job_key: String(job.job_key) });
    if (job.status === 'done') expect(upstream.filter(({ status }) => status === 'uninitialized')).toEqual([]);
  }
}

/** The worker and its jobs are known to be gone. */
async function lose(service: Service, { workerId }: TestWorker, cause: string): Promise<void> {
  await service.write((tx) => {
    const node = findWorker(tx, findComputeNode(tx, workerId)?.computeNodeKey ?? 0);
    if (node === null) return;
    const isOom = cause === 'culprit' || cause === 'victim';
    tx.db.run(
      'UPDATE attempts SET lost_cause = ?, diagnosis = ? WHERE compute_node_key = ? AND is_live = 1 AND is_occupying = 1',
      isOom ? 'oom' : cause,
      JSON.stringify({ role: isOom ? cause : null, explanation: 'gone' }),
      node.computeNodeKey,
    );
    closeComputeNode(tx, node.computeNodeKey, 'lost');
    orphanAttempts(tx, node, { since: tx.now, only: null });
  });
}

/** Enough is known about everything that was lost; memory that ran out is left for a person, all else is not. */
async function decide(service: Service): Promise<void> {
  const { db } = service;
  const before = db.all<{ attempt_key: number; isOom: number }>(
    `SELECT o.attempt_key, json_extract(a.diagnosis, '$.role') IS 'culprit' AS isOom FROM orphans o
     JOIN attempts a USING (attempt_key) JOIN workflows w ON w.workflow_key = a.workflow_key
     WHERE o.is_left = 0 AND NOT (w.is_stopping = 1 AND a.stop_reason IS 'restart')`,
  );
  await service.write((tx) => {
    const nodes = tx.db.all<{ key: number }>('SELECT DISTINCT compute_node_key AS key FROM orphans');
    for (const { key } of nodes) decideOrphans(tx, { computeNodeKey: key }, () => true);
  });
  for (const { attempt_key, isOom } of before) {
    const left = db.get<{ is_left: number }>('SELECT is_left FROM orphans WHERE attempt_key = ?', attempt_key);
    expect(left?.is_left ?? 0).toBe(left === undefined ? 0 : 1);
    if (isOom === 1) expect(left).toBeDefined();
  }
}

/** A claim that fails after it has taken jobs. */
async function rollBack(service: Service, worker: TestWorker): Promise<void> {
  const failed = service.write((tx) => {
    const node = findComputeNode(tx, worker.workerId);
    if (node !== null) claimJobs(tx, node, null);
    throw new TorcError('conflict', 'taken back');
  });
  await expect(failed).rejects.toThrow('taken back');
}

async function take(
  service: Service,
  key: string,
  worker: TestWorker,
  action: Exclude<Step, { do: 'time passes' }>,
  past: number[],
): Promise<void> {
  const attempt =
    'pick' in action && worker.held.length > 0 ? worker.held[action.pick % worker.held.length] : undefined;
  const drop = (): void => {
    worker.held = worker.held.filter((held) => held !== attempt);
  };
  // draining exchanges are never parked when they carry a report, and leave parked ones alone otherwise
  const quick = (fields: Parameters<TestWorker['exchange']>[0]) => soon(service, worker.exchange(fields));
  switch (action.do) {
    case 'cancel':
      return cancel(service, key);
    case 'lose':
      past.push(...worker.held);
      return lose(service, worker, action.cause);
    case 'decide':
      return decide(service);
    case 'roll back':
      return rollBack(service, worker);
    case 'stop':
      await service.call('workflow_stop_running', { workflow_key: key, stop: action.stop });
      return;
    case 'cancel jobs':
      return cancelJobs(service, key, action.bits);
    case 'pause':
      return pause(service, key, action.pause);
    case 'hold':
    case 'release':
      return hold(service, key, action.bits, action.do === 'hold');
    case 'restart': {
      const [keep, only] = [action.mode === 'keep_running', action.mode === 'only_uninitialized'];
      const request = {
        workflow_key: key,
        expected_state: null,
        skip: 0,
        working_directory: '/',
        assume_stopped: false,
      };
      const options = { keep_running: keep, only_uninitialized: only, force: action.mode === 'force' };
      return agrees(service, (dry_run) =>
        service.call('workflow_restart', { ...request, ...options, ignore_missing_data: false, dry_run }),
      );
    }
    case 'copy':
      return copy(service, key, action.how);
    case 'reset':
    case 'disable':
    case 'mark': {
      const keys = (await rows(service, 'jobs', key)).map((job) => String(job.job_key));
      const named = keys.filter((_, n) => (action.bits >> n) % 2 === 1);
      if (named.length === 0) return;
      const request = { workflow_key: key, expected_state: null, skip: 0 };
      return agrees(service, (dry_run) =>
        action.do === 'reset'
          ? service.call('jobs_reset', { ...request, dry_run, which: named })
          : service.call(action.do === 'mark' ? 'jobs_mark_done' : 'jobs_disable', {
              ...request,
              dry_run,
              job_keys: named,
            }),
      );
    }
    case 'leave': {
      const seen = [...worker.held].sort((a, b) => a - b).slice(0, action.pick % 3);
      past.push(...worker.held);
      if (action.pick % 2 === 0) await cancel(service, key);
      worker.held = [];
      await worker.exchange({ leaving: true, ack: seen.at(-1) ?? 0, finished: seen.map((one) => finished(one, 0)) });
      return;
    }
    case 'exchange':
      return quick({});
    case 'repeat': {
      const old = past[action.pick % Math.max(1, past.length)];
      return quick(old === undefined ? {} : { finished: [finished(old, 0)] });
    }
    default:
      break;
  }
  if (attempt === undefined) return;
  switch (action.do) {
    case 'start':
      return quick({ started: [{ attempt, age_ms: 0, pid: 1 }] });
    case 'finish':
      drop();
      past.push(attempt);
      return quick({ finished: [finished(attempt, action.code)] });
    case 'return':
      drop();
      return quick({ returned: [attempt] });
    case 'forget':
      drop();
      return quick({});
    case 'terminate':
      drop();
      past.push(attempt);
      return quick({
        finished: [
          { ...finished(attempt), status: 'terminated', return_code: null, cause: 'walltime', exit_code: null },
        ],
      });
  }
}

/** A dry run changes nothing and says what then happens, also when that is a refusal. */
async function agrees(
  service: Service,
  plan: (isDryRun: boolean) => Promise<{ changes: PlannedChange[] }>,
): Promise<void> {
  // a parked worker may claim a job in the same transaction that made it ready: then its attempt is another one
  const states = () => service.db.all('SELECT job_key, status, attempt_key FROM jobs');
  const before = states();
  const attempt = async (isDryRun: boolean) => {
    try {
      return { ...(await plan(isDryRun)), dry_run: null };
    } catch (error) {
      if (!(error instanceof TorcError) || error.code !== 'conflict') throw error;
      return { refused: error.message, changes: [] };
    }
  };
  const planned = await attempt(true);
  expect(states()).toEqual(before);
  expect(await attempt(false)).toEqual(planned);
  const after = new Map(states().map((job) => [job.job_key, `${job.status} ${job.attempt_key}`]));
  const isChanged = (job: (typeof before)[number]) => after.get(job.job_key) !== `${job.status} ${job.attempt_key}`;
  const changed = before.filter(isChanged).map((job) => String(job.job_key));
  expect(changed).toEqual(planned.changes.map((change) => change.job_key));
}

/** Waits for the reply, or until the server has parked the request: in both cases its effects are stored. */
async function soon(service: Service, reply: Promise<unknown>): Promise<void> {
  let isAnswered = false;
  void reply.then(() => (isAnswered = true));
  const parkedBefore = service.numParked;
  // one write behind the exchange in the queue: when it is done, so is the exchange
  await service.write(() => null);
  if (!isAnswered && service.numParked < parkedBefore) await reply;
}
