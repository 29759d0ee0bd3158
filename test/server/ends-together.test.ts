import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReportAnswer } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, finished, freshService, rows, statuses, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

const numFirst = 20;
const failing = 7;
const unknown = 999_999;

/** Jobs that end, and others that wait for one or two of them. */
async function runFirst() {
  const first = Array.from({ length: numFirst }, (_, n) => ({ name: `first${n}` }));
  const waiting = ['after success', 'after failure', 'after both', 'after the last two'].map((name) => ({ name }));
  const edges: [number, number][] = [
    [2, numFirst],
    [failing, numFirst + 1],
    [2, numFirst + 2],
    [failing, numFirst + 2],
    [numFirst - 2, numFirst + 3],
    [numFirst - 1, numFirst + 3],
  ];
  const key = await createWorkflow(service, [...first, ...waiting], edges);
  const worker = await TestWorker.join(service, key, { cpus: numFirst });
  await worker.exchange();
  const held = worker.held.splice(0);
  expect(held).toHaveLength(numFirst);
  // one twice, one of nobody
  const ends = held.map((attempt, n) => finished(attempt, n === failing ? 3 : 0));
  ends.splice(4, 0, finished(held[1] as number), finished(unknown));
  return { key, worker, ends };
}

/** What can be seen of a workflow afterwards, without the keys. */
async function seen(key: string) {
  const names = new Map((await rows(service, 'jobs', key)).map((job) => [job.job_key, job.name]));
  const results = await rows(service, 'results', key);
  const events = await rows(service, 'events', key);
  return {
    statuses: await statuses(service, key),
    counts: service.db.all('SELECT status, failed, n FROM job_counts WHERE workflow_key = ? AND n > 0', Number(key)),
    results: results.map(({ job_name, status, return_code, cause }) => [job_name, status, return_code, cause]),
    events: [...names].map(([jobKey, name]) => [
      name,
      ...events.filter((event) => event.job_key === jobKey).map((event) => [event.old_status, event.new_status]),
    ]),
  };
}

describe('ends that are reported together', () => {
  it('do what they do one after the other', async () => {
    const [one, many] = [await runFirst(), await runFirst()];
    const answers: ReportAnswer[] = [];
    const last = one.ends.length - 1;
    for (const [n, end] of one.ends.entries()) {
      const held = one.ends.slice(n + 1).map(({ attempt }) => attempt);
      const known = held.filter((attempt) => attempt !== unknown && attempt !== end.attempt);
      const fields = { finished: [end], held: known, draining: true };
      answers.push(...(await one.worker.exchange(n === last ? { ...fields, leaving: true } : fields)).reports);
    }
    const { reports } = await many.worker.exchange({ finished: many.ends, draining: true, leaving: true });
    expect(reports.map(({ answer }) => answer)).toEqual(answers.map(({ answer }) => answer));
    expect(reports.map(({ answer }) => answer).sort()).toEqual(
      [...Array(numFirst).fill('accepted'), 'rejected', 'repeated'].sort(),
    );
    const found = await seen(many.key);
    expect(found.statuses).toMatchObject({
      first1: 'done',
      'after success': 'ready',
      'after failure': 'canceled',
      'after both': 'canceled',
      'after the last two': 'ready',
    });
    expect(found.results).toHaveLength(numFirst);
    expect(found).toEqual(await seen(one.key));
  });

  it('are stored, except the one that cannot be', async () => {
    const { key, worker, ends } = await runFirst();
    service.db.run(
      `CREATE TEMP TRIGGER planted BEFORE UPDATE OF ended_at ON attempts WHEN OLD.attempt_key = ${ends.at(-1)?.attempt}
       BEGIN SELECT raise(ABORT, 'planted'); END`,
    );
    const { reports } = await worker.exchange({ finished: ends, draining: true });
    expect(reports.at(-1)).toMatchObject({ attempt: ends.at(-1)?.attempt, answer: 'rejected' });
    expect(reports.filter(({ answer }) => answer === 'accepted')).toHaveLength(numFirst - 1);
    expect(await statuses(service, key)).toMatchObject({ first1: 'done', 'after success': 'ready' });
    expect(service.db.get('SELECT sum(n) AS n FROM job_counts WHERE workflow_key = ?', Number(key))).toEqual({
      n: numFirst + 4,
    });
  });
});
