/** One seed: a world with faults for some minutes; then it is healed, and a person brings the workflow to its end. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/storage/database/database.ts';
import { Faults } from './faults.ts';
import { Person } from './person.ts';
import { World } from './world.ts';

export interface SeedResult {
  seed: number;
  /** Broken rules as sentences; empty when all held. */
  broken: string[];
  trace: string[];
  numSteps: number;
  numChecks: number;
  /** How often each kind of event happened. */
  seen: Map<string, number>;
  /** A hash of all events. */
  hash: number;
}

/** A directory in memory, where nothing is synced to a disk. */
const memory = '/dev/shm';

const roundMs = 60_000;
const latestMs = 150_000;
const mostRounds = 40;
/** A message that could not be sent is tried again at last after an hour. */
const longestPostponedMs = 4_000_000;

/** `isSlow`: real time passes after each step, which changes nothing. */
export async function runSeed(seed: number, isSlow = false): Promise<SeedResult> {
  const directory = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'torc-sim-'));
  const world = new World(seed, directory);
  world.isSlow = isSlow;
  try {
    await live(world);
  } catch (error) {
    world.check.broken.push(`the simulation failed: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    world.serverReturnsMs = null;
    for (const server of world.servers) server.crash();
    await world.run(10);
    rmSync(directory, { recursive: true, force: true });
  }
  const { numSteps, trace } = world;
  const { broken, numChecks, seen } = world.check;
  world.check.note('two processes in the gap', world.machines.numGaps);
  // the next random number also depends on what was not noted
  world.note(`ends after ${numSteps} steps with ${world.random.next()}`);
  return { seed, broken, trace, numSteps, numChecks, seen, hash: world.hash };
}

/** Runs a seed again, slowly; its history is to be the same. Returns where it differs as text, or null. */
export async function findDifference(one: SeedResult): Promise<string | null> {
  const other = await runSeed(one.seed, true);
  if (other.hash === one.hash) return null;
  const at = one.trace.findIndex((line, index) => line !== other.trace[index]);
  const shown = ({ trace }: SeedResult) => [trace.length, ...trace.slice(Math.max(0, at - 2), at + 1)].join('\n  ');
  return `seed ${one.seed} ran another way when it ran again, from event ${at} of ${shown(one)}\nand of ${shown(other)}`;
}

async function live(world: World): Promise<void> {
  const { random, isAboutIsolation } = world;
  await world.begin();
  const person = new Person(world);
  void person.start();
  const faults = new Faults(world, person);
  const numAllocations = random.int(isAboutIsolation ? 2 : 0, 4);
  for (let n = 0; n < numAllocations; n++) {
    const walltimeMs = random.spread(isAboutIsolation ? 900_000 : 120_000, 3_600_000);
    world.timeline.after(random.spread(10, 30_000), () => void person.schedule(walltimeMs));
  }
  if (numAllocations === 0 || random.chance(0.5)) person.startLocalWorker();
  faults.begin();
  await world.run(random.spread(isAboutIsolation ? 300_000 : 60_000, 600_000));
  if (world.check.broken.length > 0) return;
  faults.heal();
  await world.endSchedules();
  if (world.check.broken.length > 0) return;
  world.arePoolsOpen = true;
  world.workflow.hurry();
  await finish(world, person);
}

/** What a person does until everything is done, and what must hold then. */
async function finish(world: World, person: Person): Promise<void> {
  const { settings } = world.scalingCheck;
  // starts that fail in a row are followed by a wait of up to half an hour; each recovery tries jobs again for a quarter of one
  const isSlow = settings !== null || world.recoveryCheck.settings !== null;
  const most = isSlow ? 3 * mostRounds : mostRounds;
  for (let round = 0; round < most; round++) {
    const isOver = () => person.numUnderWay === 0 && isComplete(world);
    await world.run(roundMs, isOver);
    if (world.check.broken.length > 0) return;
    // what a person typed may be carried out long after they gave up waiting
    if (isOver()) await world.run(latestMs);
    if (isOver()) break;
    await advance(world, person);
  }
  if (!isComplete(world)) {
    world.check.broken.push(`the workflow does not end: ${stateOf(world)}`);
    return;
  }
  if (settings !== null) {
    const isLeft = () => world.service === null || world.scalingCheck.queued(world.service.db).length > 0;
    await world.run(600_000, () => !isLeft());
    if (isLeft()) world.check.broken.push('allocations of the autoscaler are left in the queue');
  }
  const isQuiet = () => world.workers.every(({ process }) => !process.isAlive) && world.slurm.open.length === 0;
  for (const allocation of world.slurm.open)
    if (allocation.state === 'PENDING') world.slurm.end(allocation, 'CANCELLED');
  await world.run(2_400_000, isQuiet);
  await world.run(900_000, () => isClosed(world));
  if (world.check.broken.length > 0) return;
  if (!isClosed(world)) world.check.broken.push(`something stays open: ${stateOf(world)}`);
  await world.run(longestPostponedMs, () => world.service !== null && world.receiver.isDone(world.service.db));
  checkEnd(world);
  const count = (sql: string) => world.service?.db.all(sql) ?? [];
  for (const { type, n } of count('SELECT type, count(*) AS n FROM events GROUP BY type'))
    world.check.note(type as string, n as number);
  for (const { cause, n } of count('SELECT cause, count(*) AS n FROM attempts WHERE cause IS NOT NULL GROUP BY cause'))
    world.check.note(`cause ${cause}`, n as number);
}

async function advance(world: World, person: Person): Promise<void> {
  const { service } = world;
  if (service === null) return;
  const { db } = service;
  const workflow = db.get(
    'SELECT is_canceled, is_stopping, paused_at, phase, has_timed_out, has_failed_out FROM workflows WHERE workflow_key = ?',
    world.workflowKey,
  );
  const count = (condition: string) =>
    db.get(`SELECT count(*) AS n FROM jobs j WHERE workflow_key = ? AND (${condition})`, world.workflowKey)
      ?.n as number;
  // what is lost comes back by itself, unless it is left for a person; what was canceled does not
  const isLeft = 'EXISTS (SELECT 1 FROM orphans o WHERE o.attempt_key = j.attempt_key AND o.is_left = 1)';
  const numLeft = count(`j.status IN ('terminated', 'uninitialized') OR ${isLeft} OR ${isCanceledByPerson}`);
  const isCutOff = workflow?.has_timed_out === 1 || workflow?.has_failed_out === 1;
  if (workflow?.phase !== 'started') void person.start();
  else if (workflow.is_canceled === 1 || isCutOff || numLeft > 0)
    void person.restart({ keepRunning: workflow.is_stopping !== 1 });
  else if (workflow.is_stopping === 1) void person.claimAgain();
  if (workflow?.has_timed_out === 1) void person.liftTimeout();
  if (workflow?.paused_at != null) void person.pause(false);
  const isHeldUp =
    'SELECT 1 FROM limits WHERE maximum = 0 UNION ALL SELECT 1 FROM workflows WHERE max_concurrent_jobs = 0';
  if (db.get(isHeldUp) !== undefined) person.changeConcurrency(true);
  const held = db.all(`SELECT job_key FROM holds WHERE kind = 'person'`).map(({ job_key }) => String(job_key));
  if (held.length > 0) void person.release(held);
  for (const { job_key } of db.all(`SELECT job_key FROM holds WHERE kind = 'requirements'`)) {
    void person.stateNeed(String(job_key));
  }
  const { settings } = world.scalingCheck;
  const hasNodes = world.workers.some(({ process }) => process.isAlive) || world.slurm.open.length > 0;
  // nodes that an autoscaler always keeps may not fit what is left
  const isServed = hasNodes && (settings?.min_nodes ?? 0) === 0;
  // an autoscaler does it, for jobs that workers of its Slurm config take
  if (isServed || (settings !== null && !world.workflow.hasLabels)) return;
  if (world.workflow.widest > 1 || world.random.chance(0.5)) void person.schedule(3_600_000);
  else person.startLocalWorker();
}

/** A person canceled it, or the whole workflow; nothing upstream of it has failed. */
const isCanceledByPerson = `(j.status = 'canceled' AND NOT (j.num_failed_upstreams > 0 AND j.cancel_on_blocking_job_failure = 1))`;

/** No job is left, and a restart would run none again; copies of the workflow never run. */
function isComplete({ service, workflowKey }: World): boolean {
  const left = service?.db.get(
    `SELECT (SELECT count(*) FROM jobs j WHERE j.workflow_key = w.workflow_key
         AND (j.status NOT IN ('done', 'canceled') OR ${isCanceledByPerson}))
       + (SELECT count(*) FROM recoveries WHERE next_at IS NOT NULL) + (phase <> 'started') AS n FROM workflows w WHERE workflow_key = ?`,
    workflowKey,
  );
  return left?.n === 0;
}

/**
 * Nothing is occupied, no worker counts as running, every allocation is known to be over; for one that is only
 * recorded that takes a long time.
 */
function isClosed({ service }: World): boolean {
  const left = service?.db.get(
    `SELECT (SELECT count(*) FROM attempts WHERE is_occupying = 1) + (SELECT count(*) FROM compute_nodes WHERE is_active = 1)
       + (SELECT count(*) FROM allocations WHERE status NOT IN ('recorded', 'ended', 'refused')) AS n`,
  );
  return left?.n === 0;
}

function stateOf({ service, workers, slurm }: World): string {
  if (service === null) return 'there is no server';
  const all = (sql: string) => JSON.stringify(service.db.all(sql));
  return [
    all('SELECT job_key, status, failed, num_blockers, attempt_key FROM jobs'),
    all(
      'SELECT attempt_key, job_key, is_live, is_occupying, stop_reason, end_status FROM attempts WHERE is_live OR is_occupying',
    ),
    all(
      'SELECT compute_node_key, slurm_job_id, restart_count, is_active, contact_lost_at, fenced_at FROM compute_nodes',
    ),
    all('SELECT allocation_key, slurm_job_id, status, slurm_state FROM allocations'),
    all('SELECT * FROM workflows'),
    all('SELECT * FROM holds'),
    `alive: ${workers.filter(({ process }) => process.isAlive).map(({ name }) => name)}`,
    `slurm: ${slurm.open.map(({ id, state }) => `${id} ${state}`)}`,
  ].join('\n  ');
}

/** Every job ran to its end or was marked as done, or is canceled exactly if an upstream job failed. */
function checkEnd({ service, check, children, receiver, workflow, workflowKey }: World): void {
  if (service === null) return;
  const { db } = service;
  const jobs = db.all(
    `SELECT j.job_key, j.name, j.status, j.failed, a.cause FROM jobs j LEFT JOIN attempts a USING (attempt_key)
     WHERE j.workflow_key = ? ORDER BY j.job_key`,
    workflowKey,
  );
  check.broken.push(...children.lookAtEnd(db, workflowKey), ...receiver.lookAtEnd(db, workflowKey));
  const numOwn = jobs.filter(({ name }) => !String(name).includes('_c')).length;
  if (numOwn !== workflow.jobs.length) check.broken.push(`${numOwn} jobs of ${workflow.jobs.length}`);
  const hasFailed = failures(db);
  for (const [index, job] of jobs.entries()) {
    const before = upstreamsOf(db, job.job_key as number);
    // children, which come last, are canceled too
    const isToBeCanceled = workflow.jobs[index]?.cancelOnFailure !== false && before.some((key) => hasFailed.has(key));
    const isMarked = job.status === 'done' && job.cause === 'marked';
    const expected = isToBeCanceled && !isMarked ? 'canceled' : 'done';
    if (job.status !== expected) check.broken.push(`job ${job.name} is ${job.status}, expected ${expected}`);
  }
}

function failures(db: Database): Set<number> {
  const rows = db.all(`SELECT job_key FROM jobs WHERE status = 'canceled' OR failed = 1`);
  return new Set(rows.map((row) => row.job_key as number));
}

/** The direct upstreams of a job, also through a barrier. */
function upstreamsOf(db: Database, node: number): number[] {
  const rows = db.all('SELECT upstream FROM edges WHERE downstream = ?', node);
  return rows.flatMap(({ upstream }) =>
    (upstream as number) > 0 ? [upstream as number] : upstreamsOf(db, upstream as number),
  );
}
