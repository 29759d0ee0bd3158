/**
 * Autoscalers in simulated worlds: some workflows have one. Checks that its caps hold at every commit and in Slurm, that
 * it cancels nothing that is needed, that it backs off, and that nothing is left queued at the end.
 */
import type { Request } from '../../src/api/contract.ts';
import type { SiteProfile } from '../../src/model/plan/site.ts';
import type { Database } from '../../src/storage/database/database.ts';
import { siteExample } from '../support/site.ts';
import type { Check } from './check.ts';
import { type MachineSize, usualSize } from './machines.ts';
import { Random } from './random.ts';
import type { Allocation, Slurm } from './slurm.ts';

type Settings = NonNullable<Request<'workflow_autoscale'>['settings']>;

interface Scaling {
  settings: Settings | null;
  refusedForMs: number;
  /** How many allocations an action of the workflow asks for besides; null for no action. */
  actionAllocations: number | null;
  /** The number of the job, from 0, whose readiness sets it off; null for the start of a run. */
  actionJob: number | null;
  /** The longest walltime of the only partition, as the stored profile says; null for a world without a profile. */
  longestSeconds: number | null;
  /** Nodes that are smaller than the others of the partition; null for none. */
  smaller: { size: MachineSize; numNodes: number } | null;
}

/** Too few CPUs or too little memory for some of the jobs. */
const smallSizes: readonly MachineSize[] = [
  { ...usualSize, numCpus: 2 },
  { ...usualSize, memoryBytes: 2 * 1024 ** 2 },
];

/** Null for a world without one; other random numbers of the world stay as they are. */
export function randomScaling(
  seed: number,
  { widest, hasLabels }: { widest: number; hasLabels: boolean },
  directory: string,
): Scaling {
  const random = new Random(seed ^ 0x5ca1e);
  const noAction = { actionAllocations: null, actionJob: null };
  const none = { settings: null, refusedForMs: 0, ...noAction, longestSeconds: null, smaller: null };
  if (!random.chance(0.4)) return none;
  const isChain = widest === 1 && random.chance(0.2);
  // allocations of one node that are always kept leave no room for one of several on so small a cluster
  const isNarrow = widest === 1 ? 1 : 0;
  const max_nodes = Math.max(widest, isChain ? 2 : 1, random.int(1, 4));
  const settings = {
    max_nodes,
    max_queued: random.int(1, 3),
    min_nodes: isChain || random.chance(0.8) ? 0 : random.int(0, max_nodes) * isNarrow,
    idle_seconds: random.pick([0, 5, 30, 120]),
    is_chain: isChain,
    output_directory: `${directory}/out`,
  };
  const refusedForMs = random.chance(0.5) ? random.spread(20_000, 500_000) : 0;
  const actionAllocations = random.chance(0.5) ? random.int(1, 3) : null;
  const firstJobs = random.int(0, 2);
  const longestSeconds = random.chance(0.5) ? 60 * random.int(5, 40) : null;
  const actionJob = random.chance(0.5) ? firstJobs : null;
  // a person who schedules nodes there does not choose among them
  const isMixed = random.chance(0.5) && !hasLabels;
  const smaller = isMixed ? { size: random.pick(smallSizes), numNodes: random.int(1, 2) } : null;
  // small ones that are always kept leave no room for a large one
  if (smaller !== null) settings.min_nodes = Math.min(settings.min_nodes, max_nodes - 1);
  return { settings, refusedForMs, actionAllocations, actionJob, longestSeconds, smaller };
}

/** A cluster of one partition that gives whole nodes, of these sizes. */
export function siteOf(longestSeconds: number | null, sizes: readonly MachineSize[]): SiteProfile {
  const { partitions, ...site } = siteExample;
  const [partition] = partitions.map((one) => ({ ...one, gives_whole_nodes: true, max_time_seconds: longestSeconds }));
  const [kind] = partition?.nodes ?? [];
  if (partition === undefined || kind === undefined) throw new Error('no partition');
  const nodes = [...new Set(sizes)].map((size) => {
    const count = sizes.filter((other) => other === size).length;
    const has = { num_cpus: size.numCpus, memory_bytes: size.memoryBytes };
    return { ...kind, ...has, num_nodes: count, num_usable: count, num_idle: count };
  });
  return { ...site, partitions: [{ ...partition, nodes }] };
}

/** So many failed starts in a row must be followed by a wait. */
const failuresToBackOff = 3;
const shortestBackOffMs = 55_000;

export class ScalingCheck {
  readonly settings: Settings | null;
  readonly #longestSeconds: number | null;
  readonly #slurm: Slurm;
  readonly #check: Check;
  #lastKey = 0;
  #numSubmitted = 0;
  readonly #canceled = new Set<number>();

  constructor({ settings, longestSeconds }: Scaling, slurm: Slurm, check: Check) {
    this.settings = settings;
    this.#longestSeconds = longestSeconds;
    this.#slurm = slurm;
    this.#check = check;
  }

  /** After every COMMIT of a server that has the directory. */
  committed(db: Database): void {
    if (this.settings === null) return;
    this.#lookAtNew(db);
    this.#lookAtCanceled(db);
    this.#lookAtSubmitted(db);
  }

  /** What was recorded by this commit is within the caps, together with all that is open. */
  #lookAtNew(db: Database): void {
    const { max_nodes = 0, max_queued = 0 } = this.settings ?? {};
    const newest = db.all(
      `SELECT allocation_key AS key, is_autoscaled, walltime_ms FROM allocations
       WHERE is_autoscaled = 1 OR name LIKE 'torc~_%' ESCAPE '~' ORDER BY allocation_key DESC LIMIT 1`,
    )[0] as { key: number; is_autoscaled: number; walltime_ms: number } | undefined;
    if (newest === undefined || newest.key <= this.#lastKey) return;
    this.#lastKey = newest.key;
    const open = db.all(
      `SELECT num_nodes, status FROM allocations WHERE status IN ('recorded', 'submitted', 'running')
         AND allocation_key <= ?`,
      newest.key,
    ) as { num_nodes: number; status: string }[];
    const numNodes = open.reduce((sum, { num_nodes }) => sum + num_nodes, 0);
    const numQueued = open.filter(({ status }) => status !== 'running').length;
    if (numNodes > max_nodes) this.#check.broken.push(`${numNodes} nodes were asked for, at most ${max_nodes} may be`);
    if (newest.is_autoscaled === 0) {
      this.#check.note('allocations of an action beside an autoscaler');
      return;
    }
    this.#check.note('autoscaled allocations');
    if (numQueued > max_queued)
      this.#check.broken.push(`${numQueued} allocations are queued, at most ${max_queued} may be`);
    const longest = (this.#longestSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    if (newest.walltime_ms > longest)
      this.#check.broken.push(`an allocation of ${newest.walltime_ms} ms, the partition allows ${longest}`);
    this.#lookAtBackOff(db, newest.key);
  }

  /** Nothing is asked for soon after three starts in a row that were refused. */
  #lookAtBackOff(db: Database, key: number): void {
    const rows = db.all(
      `SELECT status, submitted_at, created_at, judged_at FROM allocations WHERE is_autoscaled = 1 AND allocation_key <= ?
       ORDER BY allocation_key DESC LIMIT ?`,
      key,
      failuresToBackOff + 1,
    ) as { status: string; submitted_at: number | null; created_at: number; judged_at: number | null }[];
    const [newest, ...before] = rows;
    const setAt = db.get('SELECT set_at FROM autoscalers')?.set_at as number | undefined;
    // a clock that was set back meanwhile makes a failure seem older than the settings, which forgive those before them
    const isFailed = before.every(({ status, submitted_at, judged_at }) => {
      return status === 'refused' && Math.min(submitted_at ?? 0, judged_at ?? 0) >= (setAt ?? 0);
    });
    if (newest === undefined || before.length < failuresToBackOff || !isFailed) return;
    const firstAt = Math.min(...before.map(({ submitted_at }) => submitted_at ?? 0));
    // one that works meanwhile ends the row of failures
    if (db.get(`SELECT 1 FROM allocations WHERE outcome = 'worked' AND judged_at >= ?`, firstAt) !== undefined) return;
    // by the last one: those before it may have been refused by a clock that was set back since
    const waitedMs = newest.created_at - (before[0]?.submitted_at ?? 0);
    this.#check.note('tries after a back-off');
    // the clock of the host may have been set meanwhile
    if (waitedMs >= 0 && waitedMs < shortestBackOffMs)
      this.#check.broken.push(`asked for nodes ${waitedMs} ms after three refusals`);
  }

  /** With jobs that are ready and nobody who takes them, a queued allocation is needed. */
  #lookAtCanceled(db: Database): void {
    const canceled = db.all(
      'SELECT allocation_key AS key FROM allocations WHERE cancel_asked_at IS NOT NULL AND is_autoscaled = 1',
    ) as { key: number }[];
    const fresh = canceled.filter(({ key }) => !this.#canceled.has(key));
    if (fresh.length === 0) return;
    for (const { key } of fresh) this.#canceled.add(key);
    this.#check.note('canceled allocations', fresh.length);
    const needs = db.get(
      `SELECT 1 FROM workflows w WHERE w.is_canceled = 0 AND w.ended_at IS NULL AND w.has_timed_out = 0
         AND w.phase = 'started' AND w.workflow_key = 1 AND w.max_concurrent_jobs IS NULL
         AND NOT EXISTS (SELECT 1 FROM limits)
         AND EXISTS (SELECT 1 FROM jobs j JOIN shapes s USING (shape_key) WHERE j.workflow_key = 1 AND j.status = 'ready'
           AND s.labels = '' AND s.num_nodes = 1)
         AND NOT EXISTS (SELECT 1 FROM slurm_configs WHERE labels <> '')
         AND NOT EXISTS (SELECT 1 FROM compute_nodes WHERE is_active = 1)
         AND NOT EXISTS (SELECT 1 FROM allocations
           WHERE status IN ('recorded', 'submitted') AND cancel_asked_at IS NULL)`,
    );
    if (needs !== undefined) this.#check.broken.push('the last queued allocation was canceled although jobs are ready');
  }

  /** Slurm was told what an allocation asks for, which is counted as what it will have. */
  #lookAtSubmitted(db: Database): void {
    for (const { name, minCpus, memoryBytes } of this.#slurm.allocations.slice(this.#numSubmitted)) {
      this.#numSubmitted += 1;
      const row = db.get('SELECT min_cpus, min_memory_bytes FROM allocations WHERE name = ?', name);
      const [cpus, memory] = [row?.min_cpus ?? 0, row?.min_memory_bytes ?? null];
      if (cpus !== 0 || memory !== null) this.#check.note('allocations for larger nodes');
      if (row === undefined || (cpus === minCpus && memory === memoryBytes)) continue;
      const told = `${minCpus} CPUs and ${memoryBytes} bytes`;
      this.#check.broken.push(
        `an allocation is for nodes with ${cpus} CPUs and ${memory} bytes, Slurm was told ${told}`,
      );
    }
  }

  /** Slurm itself has no more of them than there may be, unless it has misled torc about some. */
  look(): void {
    if (this.settings === null || this.#slurm.hasMisled) return;
    const { max_nodes = 0 } = this.settings;
    const numNodes = this.#open().reduce((sum, { numMachines }) => sum + numMachines, 0);
    if (numNodes > max_nodes) this.#check.broken.push(`Slurm has ${numNodes} nodes of an autoscaler with ${max_nodes}`);
  }

  /** Those whose worker is gone end as soon as Slurm sees it. */
  #open(): Allocation[] {
    return this.#slurm.open.filter(({ isAutoscaled, state, starts }) => {
      return isAutoscaled && (state === 'PENDING' || starts.at(-1)?.worker?.process.isAlive === true);
    });
  }

  /** Those that wait in Slurm, and that the server knows. */
  queued(db: Database): Allocation[] {
    const known = new Set(
      db
        .all('SELECT slurm_job_id FROM allocations WHERE is_autoscaled = 1')
        .map(({ slurm_job_id }) => String(slurm_job_id)),
    );
    return this.#slurm.open.filter(({ id, isAutoscaled, state }) => {
      return isAutoscaled && state === 'PENDING' && known.has(id);
    });
  }
}
