/** A workflow in a program: what the commands do, without a terminal. */
import type { ListName, ListRecord, WorkflowShown } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { expandValue } from '../../model/expand/read.ts';
import { isMapping } from '../../model/spec/check.ts';
import type { JobSpec, WorkflowSpec } from '../../model/spec/spec.ts';
import { requireStarted, runLocally } from '../actions/jobs-run.ts';
import { needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import { pathPlace } from '../documents/read-spec.ts';
import { checkStorable, createWorkflow } from '../documents/send-workflow.ts';
import { startDirectory } from '../input/base-directory.ts';
import { listPages } from '../input/list.ts';
import { chosenOutput } from '../input/output-directory.ts';
import type { Summary } from '../output/summary.ts';
import {
  type CopyOptions,
  contextAt,
  copyKeys,
  endedStatuses,
  type Place,
  placeKeys,
  type RunOptions,
  refuseUnknown,
  runKeys,
  type WaitOptions,
  type WorkflowRunOptions,
  waitKeys,
  workflowRunKeys,
} from './place.ts';
import { checkResumeOptions, resumeWorkflow } from './resume.ts';
import { whileLimited } from './run-limits.ts';

/** A new workflow, or a stored one. Methods throw TorcError. */
export class Workflow {
  /** What `create` stores; only the name of an opened workflow. */
  readonly spec: WorkflowSpec;
  #place: Place = {};
  #key: string | null = null;

  constructor(spec: Omit<WorkflowSpec, 'jobs'> & { jobs?: JobSpec[] }) {
    if (!isMapping(spec) || !Array.isArray(spec.jobs ?? [])) {
      throw new TorcError(
        'invalid_spec',
        'this is not a specification with a list of jobs',
        "new Workflow({ name: 'w' })",
      );
    }
    this.spec = { ...spec, jobs: [...(spec.jobs ?? [])] };
  }

  /** A stored workflow by its key. */
  static async open(key: string, place: Place = {}): Promise<Workflow> {
    refuseUnknown(place, placeKeys);
    const request = { workflow_key: key };
    const { name } = await withConnection(contextAt(place), ({ api }) => api.call('workflow_show', request));
    const workflow = new Workflow({ name });
    workflow.#key = key;
    workflow.#place = place;
    return workflow;
  }

  /** The key of a stored workflow; throws 'usage' before `create`. */
  get key(): string {
    if (this.#key !== null) return this.#key;
    throw new TorcError('usage', `workflow ${this.spec.name} is not stored yet`, 'Call create() first.');
  }

  /**
   * Adds a job to what `create` stores; returns its name, for the `depends_on` of other jobs. Throws 'conflict' when the
   * workflow is already stored.
   */
  addJob(job: JobSpec): string {
    if (!isMapping(job)) {
      throw new TorcError('invalid_spec', 'this is not a job', "addJob({ name: 'a', command: 'echo hello' })");
    }
    if (this.#key !== null) {
      const message = `workflow ${this.#key} is already stored; a job added here would not become part of it`;
      throw new TorcError('conflict', message, 'Add jobs before create(), or later with torc jobs add.');
    }
    this.spec.jobs.push(job);
    return job.name;
  }

  /** Adds jobs to what `create` stores; returns their names. Throws as `addJob`. */
  addTasks(jobs: readonly JobSpec[]): string[] {
    return jobs.map((job) => this.addJob(job));
  }

  /** Checks and stores the workflow without starting it; returns its key. */
  async create(place: Place = {}): Promise<string> {
    refuseUnknown(place, placeKeys);
    return this.#store(this.spec, place);
  }

  async #store(spec: WorkflowSpec, place: Place): Promise<string> {
    const context = contextAt(place);
    const { workflow } = expandValue(spec, { file: spec.name, place: pathPlace(context) });
    await checkStorable(workflow);
    const made = await withConnection(context, ({ api }) => createWorkflow(api, workflow), { creates: true });
    this.#key = made.workflow_key;
    this.#place = place;
    return this.#key;
  }

  /** Starts the workflow: its jobs become ready. Also starts a server if an action schedules nodes and none is running. */
  async start(): Promise<void> {
    const request = { workflow_key: this.key, dry_run: false };
    const context = contextAt(this.#place);
    const isServerMissing = await withConnection(context, async (connection) => {
      await connection.api.call('workflow_start', request);
      return needsServer(connection, request.workflow_key, false);
    });
    if (isServerMissing) await startOwnServer(context);
  }

  /**
   * Runs the jobs on this machine until none is left; failed jobs are in the summary and not an error. Throws 'conflict'
   * when the workflow has not started.
   */
  async runLocally({ signal, ...options }: RunOptions = {}): Promise<Summary> {
    refuseUnknown(options, runKeys);
    if (signal?.aborted === true) throw new TorcError('interrupted', 'the run was stopped before it started');
    const context = contextAt(this.#place, signal);
    const output = chosenOutput(context, options.output);
    const hint = 'Call start() first.';
    return withConnection(
      context,
      async ({ api }) => {
        const directory = await startDirectory(context, await requireStarted(api, this.key, hint));
        const run = { waitForNewJobs: 0, ...options, output, directory };
        return (await runLocally(context, api, this.key, run)).summary;
      },
      { serves: true, runsActions: true },
    );
  }

  /**
   * Stores the workflow if it is not stored, starts it and runs its jobs on this machine until none is left, as `torc run`
   * does. Returns the status of the workflow then; failed jobs are no error. Limits of the options end with the call. Throws 'conflict' when it already exists or
   * has run before, unless it resumes; then when its jobs are others, and 'already_complete' when all of them are done.
   */
  async run(options: WorkflowRunOptions = {}): Promise<WorkflowShown['status']> {
    refuseUnknown(options, workflowRunKeys);
    checkResumeOptions(options);
    const { dir, failFast, secondsUntilTimeout, resume, keepRunning, stopRunning, ...others } = options;
    const { resumeTimeout, forceCleanup, ...worker } = others;
    if (this.#key === null) this.#place = dir === undefined ? {} : { dir };
    const how = {
      ...(keepRunning === undefined ? {} : { keepRunning }),
      ...(stopRunning === undefined ? {} : { stopRunning }),
      ...(resumeTimeout === undefined ? {} : { resumeTimeout }),
      ...(forceCleanup === undefined ? {} : { forceCleanup }),
    };
    const known = { key: this.#key, spec: this.spec };
    const resumed = resume === true ? await resumeWorkflow(contextAt(this.#place), known, how) : null;
    if (resumed !== null) this.#key = resumed;
    else if (this.#key === null) await this.#store(this.spec, this.#place);
    return whileLimited(contextAt(this.#place), this.key, { failFast, secondsUntilTimeout }, async () => {
      if (resumed === null) await this.start();
      return (await this.runLocally(worker)).status;
    });
  }

  /** A new workflow with the same jobs, in any state of this one; nothing is inherited, and it has not started. */
  clone(options: CopyOptions = {}): Promise<Workflow> {
    return this.#copy('clone', options);
  }

  /**
   * A new workflow that inherits the results of the jobs that succeeded and runs the others, once it is started. Throws
   * 'conflict' while the run of this one has not ended, 'already_complete' when every job has succeeded.
   */
  rerun(options: CopyOptions = {}): Promise<Workflow> {
    return this.#copy('rerun', options);
  }

  async #copy(how: 'clone' | 'rerun', options: CopyOptions): Promise<Workflow> {
    refuseUnknown(options, copyKeys);
    const context = contextAt(this.#place);
    const request = {
      workflow_key: this.key,
      how,
      dry_run: false,
      name: options.name ?? null,
    };
    const { workflow_key } = await withConnection(context, ({ api }) => api.call('workflow_copy', request));
    if (workflow_key === null) throw new TorcError('bug', 'the server did not copy the workflow');
    return Workflow.open(workflow_key, this.#place);
  }

  /** The status of the workflow, with its jobs by status. */
  status(): Promise<WorkflowShown> {
    const request = { workflow_key: this.key };
    return withConnection(contextAt(this.#place), ({ api }) => api.call('workflow_show', request));
  }

  /** Waits until workers elsewhere have ended the workflow; checks every `pollSeconds`. */
  async wait(options: WaitOptions = {}): Promise<WorkflowShown> {
    refuseUnknown(options, waitKeys);
    const { pollSeconds = 10 } = options;
    for (;;) {
      const shown = await this.status();
      if (endedStatuses.includes(shown.status)) return shown;
      await delay(contextAt(this.#place).clock, pollSeconds * 1000);
    }
  }

  /** The rows of `torc -F json results list`. */
  results(): Promise<ListRecord[]> {
    return this.#rows('results');
  }

  /** The rows of `torc -F json workflows runs`: who started each run and how, and what it came to. */
  runs(): Promise<ListRecord[]> {
    return this.#rows('runs');
  }

  /** The rows of `torc -F json jobs list`. */
  jobs(): Promise<ListRecord[]> {
    return this.#rows('jobs');
  }

  #rows(list: ListName): Promise<ListRecord[]> {
    return withConnection(contextAt(this.#place), async ({ api }) => {
      const rows: ListRecord[] = [];
      for await (const page of listPages(api, list, this.key, { filter: [], excludeColumn: [] })) rows.push(...page);
      return rows;
    });
  }
}
