/** Compares a specification with the stored workflow of its identity: the jobs that differ, and what a resume takes over. */
import { isDeepStrictEqual } from 'node:util';
import type { Api, Request } from '../../api/contract.ts';
import { beginRequest } from '../../api/creation.ts';
import { wireJob } from '../../api/creation-chunks.ts';
import { limits } from '../../api/limits.ts';
import {
  compareJobs,
  type JobDifferences,
  type JobOutline,
  jobIdentity,
  SettingsDigests,
  setHash,
} from '../../model/decide/job-outline.ts';
import type { ExpandedJob, ExpandedWorkflow } from '../../model/expanded.ts';
import { labelSet, labelsIn } from '../../model/labels.ts';
import { listPages } from '../input/list.ts';
import { actionPlace } from './send-workflow.ts';

export type TakeOver = NonNullable<NonNullable<Request<'workflow_restart'>['resume']>['take_over']>;
type JobSettings = Omit<TakeOver['jobs'][number], 'job_key'>;

export interface Comparison {
  differences: JobDifferences;
  takeOver: TakeOver;
}

interface StoredJob extends JobOutline {
  key: string;
}

export async function compareWorkflow(api: Api, workflowKey: string, workflow: ExpandedWorkflow): Promise<Comparison> {
  const stored = await storedJobs(api, workflowKey);
  const numJobs = stored.size;
  const written = new Set<number>();
  const jobs: TakeOver['jobs'] = [];
  let current: ExpandedJob | null = null;
  function* wanted(): Generator<JobOutline> {
    const waitsFor = new Upstreams(workflow);
    const digests = new SettingsDigests();
    let number = 0;
    for (const job of workflow.jobs) {
      for (const datum of job.outputUserData) written.add(datum);
      current = job;
      yield outlineOf(workflow, job, waitsFor.of(number), digests);
      number += 1;
    }
  }
  const differences = compareJobs(stored, wanted(), ({ key: job_key }) => {
    if (current !== null) jobs.push({ job_key, ...settingsOf(workflow, current) });
  });
  const {
    num_jobs: _,
    num_files,
    num_user_data,
    num_barriers,
    actions,
    ...begin
  } = beginRequest(workflow, actionPlace());
  const user_data = await otherData(api, workflowKey, workflow, written);
  return { differences, takeOver: { workflow: begin, num_jobs: numJobs, jobs, user_data } };
}

async function storedJobs(api: Api, workflow_key: string): Promise<Map<string, StoredJob>> {
  const found = new Map<string, StoredJob>();
  for (let after: string | null = null; ; ) {
    const limit = limits.listPage;
    const page: { jobs: [string, string, string, string][]; more: boolean } = await api.call('workflow_outline', {
      workflow_key,
      after,
      limit,
    });
    for (const [key, name, identity, settings] of page.jobs) found.set(name, { key, name, identity, settings });
    after = page.jobs.at(-1)?.[0] ?? after;
    if (!page.more) return found;
  }
}

function outlineOf(
  workflow: ExpandedWorkflow,
  job: ExpandedJob,
  waitsFor: { upstreams: readonly string[]; sets: readonly string[] },
  digests: SettingsDigests,
): JobOutline {
  const files = (numbers: readonly number[]) =>
    numbers.map((number): [string, string] => [workflow.files[number]?.name ?? '', workflow.files[number]?.path ?? '']);
  const data = (numbers: readonly number[]) => numbers.map((number) => workflow.userData[number]?.name ?? '');
  return {
    name: job.name,
    identity: jobIdentity({
      command: job.command,
      identity: job.identity ?? null,
      invocationScript: job.invocationScript,
      launch: job.launch ?? {},
      inputFiles: files(job.inputFiles),
      outputFiles: files(job.outputFiles),
      inputUserData: data(job.inputUserData),
      outputUserData: data(job.outputUserData),
      ...waitsFor,
    }),
    settings: digests.of({ ...settingsOf(workflow, job), own_requirements: null }),
  };
}

/** A job's settings with the names of what it names, as an export has them. */
function settingsOf(workflow: ExpandedWorkflow, job: ExpandedJob): JobSettings {
  const {
    name: _,
    requirements,
    slurm_config,
    failure_handler,
    labels,
    limits,
    hold,
    input_files,
    output_files,
    input_user_data,
    output_user_data,
    ...settings
  } = wireJob(job);
  return {
    ...settings,
    ...(labels === undefined ? {} : { labels: labelsIn(labelSet(labels)) }),
    ...(limits === undefined ? {} : { limits: labelsIn(labelSet(limits)) }),
    resource_requirements: requirements === null ? null : (workflow.requirements[requirements]?.name ?? null),
    scheduler: slurm_config === undefined ? null : (workflow.schedulers[slurm_config]?.name ?? null),
    failure_handler: failure_handler === undefined ? null : (workflow.failureHandlers[failure_handler]?.name ?? null),
  };
}

/** What each job of a specification waits for, by name. */
class Upstreams {
  readonly #upstreams = new Map<number, string[]>();
  readonly #sets = new Map<number, string[]>();

  constructor({ numJobs, jobs, edges, numBarriers }: ExpandedWorkflow) {
    if (edges.length === 0) return;
    const names: string[] = [];
    for (const { name } of jobs) names.push(name);
    const members: string[][] = Array.from({ length: numBarriers }, () => []);
    for (const [upstream, downstream] of edges) {
      if (downstream < 0) members[-1 - downstream]?.push(names[upstream] ?? '');
    }
    const hashes = members.map(setHash);
    for (const [upstream, downstream] of edges) {
      if (downstream < 0 || downstream >= numJobs) continue;
      if (upstream >= 0) add(this.#upstreams, downstream, names[upstream] ?? '');
      else add(this.#sets, downstream, hashes[-1 - upstream] ?? '');
    }
  }

  of(number: number): { upstreams: readonly string[]; sets: readonly string[] } {
    return { upstreams: this.#upstreams.get(number) ?? [], sets: this.#sets.get(number) ?? [] };
  }
}

function add(lists: Map<number, string[]>, number: number, value: string): void {
  const list = lists.get(number);
  if (list === undefined) lists.set(number, [value]);
  else list.push(value);
}

/** Data that the specification gives and that no job writes, where the stored ones are others. */
async function otherData(
  api: Api,
  key: string,
  { userData }: ExpandedWorkflow,
  written: ReadonlySet<number>,
): Promise<TakeOver['user_data']> {
  const given = new Map(
    userData.flatMap(({ name, data }, number) => (data === null || written.has(number) ? [] : [[name, data]])),
  );
  if (given.size === 0) return [];
  const found: TakeOver['user_data'] = [];
  for await (const page of listPages(api, 'user_data', key, { filter: [], excludeColumn: [] })) {
    for (const { user_data_key, name, data } of page) {
      const wanted = given.get(String(name));
      if (wanted === undefined || isDeepStrictEqual(wanted, data)) continue;
      found.push({ user_data_key: String(user_data_key), data: wanted as TakeOver['user_data'][number]['data'] });
    }
  }
  return found;
}
