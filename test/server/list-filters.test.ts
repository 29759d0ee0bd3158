/** Filters that find their rows by an index choose the same rows as ones that look at every row. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddedJob, ListRecord, Request } from '../../src/api/contract.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import type { Service } from '../../src/server/service.ts';
import { definitions } from '../../src/storage/lists/list-definitions.ts';
import { readList } from '../../src/storage/lists/lists.ts';
import { isUnsuccessfulSql, liveAttemptsSql } from '../../src/storage/running/attempt-sets.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, finished, freshService, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService(new FakeClock()));
});

afterEach(() => close());

const plan = { dry_run: false, expected_state: null, skip: 0 };
const terminated = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;

/** One job in each situation that a filter can ask for; the one named `late` depends on the running one. */
async function mixedWorkflow(hostname: string): Promise<string> {
  const names = ['good', 'bad', 'cut', 'lost', 'forgiven', 'again', 'running', 'claimed', 'held', 'canceled', 'ready'];
  const jobs = names.map((name) => ({
    name,
    taskFailureIsSuccess: name === 'forgiven',
    supportsTermination: name === 'cut',
    hold: name === 'held',
  }));
  const late = { ...jobs[0], name: 'late', hold: false };
  const key = await createWorkflow(service, [...jobs, late], [[6, 11]]);
  await service.call('workflow_modify', { workflow_key: key, changes: { max_losses: 0 } });
  const chosen = { workflow_key: key, job_keys: [], ...plan };
  await service.call('jobs_cancel', { ...chosen, job_names: ['canceled'] });
  const allocation = { slurmJobId: `7${key}`, hostname, restartCount: 0 };
  const worker = await TestWorker.join(service, key, { cpus: 8 }, allocation);
  await worker.exchange();
  const attempts = [...worker.held];
  const attempt = (index: number): number => attempts[index] as number;
  const ends = [
    finished(attempt(0)),
    finished(attempt(1), 3),
    { ...finished(attempt(2)), ...terminated },
    finished(attempt(4), 4),
    finished(attempt(5), 5),
  ];
  // the one of `lost` is neither held nor reported
  worker.held = [attempt(6), attempt(7)];
  const started = [{ attempt: attempt(6), age_ms: 1, pid: 1 }];
  await worker.exchange({ finished: ends, started, draining: true });
  await service.call('jobs_reset', { workflow_key: key, which: [], ...plan, job_names: ['again'] });
  return key;
}

interface Asked {
  list: 'jobs' | 'results' | 'events';
  workflow_key: string;
  filters: Request<'list'>['filters'];
  mostFound?: number;
}

function read({ mostFound, ...asked }: Asked): ListRecord[] {
  const request = { ...asked, sort_by: null, reverse: false, limit: 1000, skip: 0 };
  return readList(service.db, request, mostFound).records;
}

/** Values that each workflow must have for the comparison to mean something. */
const situations = {
  jobs: {
    status: expect.arrayContaining(['ready', 'submitted_pending', 'submitted', 'blocked', 'canceled', 'uninitialized']),
    outcome: expect.arrayContaining(['success', 'failed', 'forgiven', 'canceled']),
    return_code: expect.arrayContaining([0, 3, 4]),
    cause: expect.arrayContaining(['success', 'exit_code', 'worker_lost']),
    orphaned: expect.arrayContaining([true, false]),
    held: expect.arrayContaining([true, false]),
    hostname: [expect.stringMatching(/^c[12]$/)],
  },
  results: {
    status: expect.arrayContaining(['done', 'terminated']),
    outcome: expect.arrayContaining(['success', 'failed', 'forgiven', 'terminated']),
    return_code: expect.arrayContaining([0, 3, 4, 5]),
    cause: expect.arrayContaining(['success', 'exit_code', 'walltime']),
  },
  events: {
    type: expect.arrayContaining(['workflow_started', 'job_status', 'job_orphaned']),
    old_status: expect.arrayContaining(['ready', 'submitted_pending', 'done']),
    new_status: expect.arrayContaining(['canceled', 'submitted_pending', 'submitted', 'done', 'uninitialized']),
  },
};

describe('filters of a list', () => {
  it.each(['jobs', 'results', 'events'] as const)('%s: an index finds what a look at every row finds', async (list) => {
    const keys = [await mixedWorkflow('c1'), await mixedWorkflow('c2')];
    for (const workflow_key of keys) {
      const all = read({ list, workflow_key, filters: [] });
      const seen: Record<string, unknown[]> = {};
      for (const { name, find } of definitions[list].columns) {
        if (find === undefined && name !== 'type') continue;
        // also the values that only the other workflow has
        const values = new Set(
          keys.flatMap((key) => read({ list, workflow_key: key, filters: [] })).map((row) => row[name]),
        );
        for (const value of [...values].filter((each) => each !== null)) {
          const filters = [{ column: name, value: String(value) }];
          const expected = { filters, rows: all.filter((row) => row[name] === value) };
          expect({ filters, rows: read({ list, workflow_key, filters }) }).toEqual(expected);
          // too many for an index
          expect({ filters, rows: read({ list, workflow_key, filters, mostFound: 0 }) }).toEqual(expected);
          if (expected.rows.length > 0) seen[name] = [...(seen[name] ?? []), value];
        }
      }
      expect(seen).toMatchObject(situations[list]);
    }
  });

  it('several statuses at once are found together', async () => {
    const workflow_key = await mixedWorkflow('c1');
    const names = (value: string): unknown[] =>
      read({ list: 'jobs', workflow_key, filters: [{ column: 'status', value }] }).map(({ name }) => name);
    expect(names('submitted,submitted_pending')).toEqual(['lost', 'running', 'claimed']);
    expect(names('ready')).toEqual(['cut', 'ready']);
    expect(names('blocked,ready')).toEqual(['cut', 'held', 'ready', 'late']);
  });

  /** Every page of a sorted list has the rows at its place in the whole list, which `place` orders. */
  function expectPages(asked: Asked, sort_by: string, place: (row: ListRecord) => string): void {
    const names = (rows: readonly ListRecord[]): unknown[] => rows.map(({ name }) => name);
    const all = read(asked);
    for (const reverse of [false, true]) {
      const sorted = all.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
      if (reverse) sorted.reverse();
      for (const limit of [1, 2, 5, all.length]) {
        for (let skip = 0; skip <= all.length; skip++) {
          const page = readList(service.db, { ...asked, sort_by, reverse, limit, skip });
          expect(names(page.records)).toEqual(names(sorted.slice(skip, skip + limit)));
          expect(page.more).toBe(skip + limit < all.length);
        }
      }
    }
  }

  const keyOf = ({ job_key }: ListRecord): string => String(job_key).padStart(9);

  it('pages of jobs by status are parts of the whole order', async () => {
    const workflow_key = await mixedWorkflow('c1');
    await mixedWorkflow('c2');
    expectPages({ list: 'jobs', workflow_key, filters: [] }, 'status', (job) => `${job.status} ${keyOf(job)}`);
  });

  it('pages of ready jobs by priority are parts of the whole order', async () => {
    const priorities = [2, 1, 3, 1, 2, 3, 3, 1, 2, 1];
    const jobs = priorities.map((priority, index) => ({
      name: `${index % 3 === 0 ? 'some' : 'other'}_${index}`,
      priority,
      hold: index === 4,
    }));
    const workflow_key = await createWorkflow(service, jobs);
    await createWorkflow(service, jobs);
    const place = (job: ListRecord) => `${job.priority} ${keyOf(job)}`;
    const ready = { column: 'status', value: 'ready' };
    expect(read({ list: 'jobs', workflow_key, filters: [ready] })).toHaveLength(9);
    expectPages({ list: 'jobs', workflow_key, filters: [ready] }, 'priority', place);
    const some = [ready, { column: 'name', value: 'some_*' }];
    expect(read({ list: 'jobs', workflow_key, filters: some })).toHaveLength(4);
    expectPages({ list: 'jobs', workflow_key, filters: some }, 'priority', place);
    expectPages({ list: 'jobs', workflow_key, filters: [] }, 'priority', place);
    // jobs of another workflow lie in the gap before this one
    const [late] = expandChildren([{ name: 'late', command: 'true', priority: 2 }], { file: 'test' }) as [AddedJob];
    await service.call('jobs_add', { workflow_key, jobs: [{ ...late, hold: false }] });
    expect(read({ list: 'jobs', workflow_key, filters: [] })).toHaveLength(11);
    expectPages({ list: 'jobs', workflow_key, filters: [] }, 'priority', place);
  });

  it('rows that share moves are no type of their own', async () => {
    const workflow_key = await mixedWorkflow('c1');
    const ofType = (value: string) => read({ list: 'events', workflow_key, filters: [{ column: 'type', value }] });
    expect(ofType('job_moves')).toEqual([]);
    expect(ofType('job_status')).not.toEqual([]);
  });

  it('attempts without success and live ones are found by an index', () => {
    const plan = (sql: string, ...values: number[]) =>
      service.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values).map(({ detail }) => detail);
    const ended = plan(`SELECT a.job_key FROM attempts a WHERE a.workflow_key = ? AND ${isUnsuccessfulSql}`, 1);
    expect(ended).toEqual([expect.stringContaining('INDEX attempts_unsuccessful')]);
    expect(plan(liveAttemptsSql('a.job_key'), 1, 1).filter((detail) => detail.startsWith('SCAN'))).toEqual([]);
  });
});
