/** The person at the login host, who schedules nodes, restarts, resets, cancels, marks jobs and makes copies. */
import type { EndpointName, Reply, Request } from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';
import { Process } from './clock.ts';
import { recreated } from './recreation.ts';
import { labelSets, randomConcurrency, randomLimits } from './workflow.ts';
import type { World } from './world.ts';

/** Open allocations, and workers on the login host. */
const mostOfEach = 6;

export class Person {
  readonly #world: World;
  #numAllocations = 0;
  /** Commands that have not returned. */
  numUnderWay = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Each command is a process of its own; null when it ended with an error that people expect. */
  async #type<N extends EndpointName>(endpoint: N, request: Request<N>): Promise<Reply<N> | null> {
    const world = this.#world;
    const shell = new Process(world.timeline, world.login.host, world.machines.nextPid());
    this.numUnderWay += 1;
    try {
      const reply = await world.network.apiFor(shell, () => {}).call(endpoint, request);
      world.note(`person: ${endpoint} succeeded`);
      return reply;
    } catch (error) {
      if (!(error instanceof TorcError)) throw error;
      world.note(`person: ${endpoint}: ${error.message}`);
      return null;
    } finally {
      this.numUnderWay -= 1;
    }
  }

  start(): Promise<unknown> {
    return this.#type('workflow_start', { workflow_key: this.#world.workflowKey, dry_run: false });
  }

  /** Submits an allocation, as `hpc slurm schedule-nodes` does; `dies`: that command is killed after sbatch. */
  async schedule(walltimeMs: number, dies = false): Promise<void> {
    const { workflowKey, slurm, workflow, random } = this.#world;
    if (slurm.open.length >= mostOfEach) return;
    this.#numAllocations += 1;
    const name = `sim_${this.#numAllocations}`;
    const numNodes = workflow.widest > 1 ? workflow.widest : random.int(1, Math.min(2, this.#world.nodes.length));
    const paths = { script_path: `/nowhere/${name}`, output_directory: `${this.#world.directory}/out` };
    const recorded = await this.#type('allocations_record', {
      workflow_key: workflowKey,
      slurm_config_key: '1',
      allocations: [{ name, num_nodes: numNodes, one_worker_per_node: false, ...paths }],
    });
    const key = recorded?.allocation_keys[0];
    if (key === undefined) return;
    const id = slurm.submit(name, key, numNodes, walltimeMs);
    if (dies) return;
    await this.#type('allocation_confirm', { allocation_key: key, slurm_job_id: id, cluster: null, error: null });
  }

  startLocalWorker(): void {
    const { login, workers } = this.#world;
    const isEnough =
      workers.filter((worker) => worker.machine === login && worker.process.isAlive).length >= mostOfEach;
    if (login.isUp && !isEnough) this.#world.addWorker({ machines: [login], slurm: null });
  }

  /** `force` is for a person who knows that everything silent is dead. */
  restart(options: { keepRunning?: boolean; force?: boolean } = {}): Promise<unknown> {
    return this.#startRun(options);
  }

  /** By its key, or by creating it again with other settings. */
  resume(options: { keepRunning: boolean }): Promise<unknown> {
    const { random, workflow } = this.#world;
    return this.#startRun(options, random.chance(0.3) ? {} : { take_over: recreated(workflow, random) });
  }

  #startRun(
    options: { keepRunning?: boolean; force?: boolean },
    resume?: NonNullable<Request<'workflow_restart'>['resume']>,
  ): Promise<unknown> {
    return this.#type('workflow_restart', {
      ...(resume === undefined ? {} : { resume }),
      workflow_key: this.#world.workflowKey,
      expected_state: null,
      skip: 0,
      working_directory: '/',
      assume_stopped: false,
      keep_running: options.keepRunning ?? false,
      only_uninitialized: false,
      force: options.force ?? false,
      ignore_missing_data: false,
      dry_run: false,
    });
  }

  /** Whether a person who has looked everywhere may say that everything silent is dead. */
  knowsThatAllIsDead(): boolean {
    const { machines, workers, slurm } = this.#world;
    const isNoneAlive = workers.every(({ process }) => !process.isAlive);
    return isNoneAlive && machines.living.size === 0 && slurm.open.length === 0;
  }

  async stopRunning(): Promise<void> {
    const request = { workflow_key: this.#world.workflowKey };
    await this.#type('workflow_stop_running', { ...request, stop: true });
  }

  claimAgain(): Promise<unknown> {
    return this.#type('workflow_stop_running', { workflow_key: this.#world.workflowKey, stop: false });
  }

  pause(paused: boolean): Promise<unknown> {
    return this.#type('workflow_pause', { workflow_key: this.#world.workflowKey, paused });
  }

  /** A person may cancel a job at any time, also one that cannot be canceled. */
  cancelJob(): Promise<unknown> {
    const { random, workflow, workflowKey } = this.#world;
    const job_keys = [String(random.int(1, workflow.jobs.length))];
    const request = { workflow_key: workflowKey, expected_state: null, skip: 0, dry_run: false };
    return this.#type('jobs_cancel', { ...request, job_keys });
  }

  /** Any jobs, also those that cannot be held. */
  hold(hold: boolean, numJobs: number): Promise<unknown> {
    const { random, workflow, workflowKey } = this.#world;
    const job_keys = Array.from({ length: numJobs }, () => String(random.int(1, workflow.jobs.length)));
    const request = { workflow_key: workflowKey, expected_state: null, skip: 0, dry_run: false };
    return this.#type('jobs_hold', { ...request, job_keys: [...new Set(job_keys)], hold });
  }

  /** Moves jobs that wait to another pool. */
  changeLabels(): Promise<unknown> {
    const { random, workflow } = this.#world;
    const job_keys = Array.from({ length: random.int(1, 3) }, () => String(random.int(1, workflow.jobs.length)));
    const labels = random.pick([[], ...labelSets]);
    return this.#type('jobs_modify', { job_keys, dry_run: false, changes: { labels } });
  }

  /** Releases what is held. */
  release(job_keys: string[]): Promise<unknown> {
    const request = { workflow_key: this.#world.workflowKey, expected_state: null, skip: 0, dry_run: false };
    return this.#type('jobs_hold', { ...request, job_keys, hold: false });
  }

  /** Says what a job asks for, in place of data that is not there. */
  async stateNeed(job_key: string): Promise<void> {
    this.#world.dataUses.stated.add(job_key);
    await this.#type('job_modify', { job_key, dry_run: false, changes: { num_cpus: 1 } });
  }

  /** Other limits of the run, or none. */
  changeLimits(): Promise<unknown> {
    const { workflowKey, random } = this.#world;
    return this.#type('workflow_modify', { workflow_key: workflowKey, changes: randomLimits(random) });
  }

  /** Other numbers of jobs at once; `isLast`: all jobs can run. */
  changeConcurrency(isLast = false): void {
    const { workflowKey: workflow_key, random, workflow } = this.#world;
    if (workflow.concurrency === null) return;
    const { max_concurrent_jobs, limits } = randomConcurrency(random);
    const least = isLast ? 1 : 0;
    const most = isLast ? null : max_concurrent_jobs;
    void this.#type('workflow_modify', { workflow_key, changes: { max_concurrent_jobs: most } });
    for (const [name, maximum] of Object.entries(limits)) {
      const of = name === 'own' ? workflow_key : null;
      void this.#type('limit_set', { name, workflow_key: of, maximum: Math.max(least, maximum) });
    }
  }

  /** Retries may need more time than a run has. */
  liftTimeout(): Promise<unknown> {
    const { workflowKey } = this.#world;
    return this.#type('workflow_modify', { workflow_key: workflowKey, changes: { timeout_seconds: null } });
  }

  resetFailed(): Promise<unknown> {
    const request = { workflow_key: this.#world.workflowKey, expected_state: null, skip: 0 };
    return this.#type('jobs_reset', { ...request, dry_run: false, which: 'failed' });
  }

  /** Any job, with what follows from it. */
  resetOne(): Promise<unknown> {
    const { random, workflow, workflowKey } = this.#world;
    const which = [String(random.int(1, workflow.jobs.length))];
    const request = { workflow_key: workflowKey, expected_state: null, skip: 0 };
    return this.#type('jobs_reset', { ...request, dry_run: false, which });
  }

  /** The person knows what a job would have made. */
  async markDone(): Promise<void> {
    const { workflowKey, workflow, random } = this.#world;
    const job_key = String(random.int(1, workflow.jobs.length));
    const request = { workflow_key: workflowKey, expected_state: null, skip: 0, dry_run: false };
    await this.#type('jobs_mark_done', { ...request, job_keys: [job_key] });
  }

  /** The copy stays as it is: the workers of this world belong to its source. */
  async copy(how: 'clone' | 'rerun'): Promise<void> {
    const request = { workflow_key: this.#world.workflowKey, dry_run: false, name: null };
    await this.#type('workflow_copy', { ...request, how });
  }

  cancel(): Promise<unknown> {
    return this.#type('workflow_cancel', { workflow_key: this.#world.workflowKey, dry_run: false });
  }

  diagnose(): Promise<unknown> {
    return this.#type('jobs_diagnose', { workflow_key: this.#world.workflowKey, job_keys: null });
  }
}
