/** `workflows pause|resume` and `jobs hold|release`, with real workers. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const shown = (): Promise<{ status: string; is_paused: boolean; num_done: number }> =>
  place.json(['workflows', 'show', '1']);

async function stored(waitSeconds = 0): Promise<void> {
  const jobs = ['a', 'b'].map((name) => ({ name, command: `echo ${name} >> ran` }));
  const spec = { name: 'study', compute_node_wait_for_new_jobs_seconds: waitSeconds, jobs };
  await place.torc('workflows', 'create', place.file('w.json', JSON.stringify(spec)));
  await place.torc('workflows', 'start', '1');
}

it('a held job stays while the others run, and runs once it is released', async () => {
  await stored();
  const planned = await place.json(['jobs', 'hold', '1', '--dry-run']);
  expect(await place.json(['jobs', 'hold', '1'])).toEqual({ ...(planned as object), dry_run: false });
  expect((await place.torc('jobs', 'run', '1')).stdout).toContain('workflows resume 1');
  expect(await shown()).toMatchObject({ status: 'paused', is_paused: false, num_done: 1 });
  const { jobs } = await place.json<{ jobs: { name: string }[] }>(['jobs', 'list', '-f', 'held=true']);
  expect(jobs.map(({ name }) => name)).toEqual(['a']);
  expect((await place.torc('workflows', 'show-status', '1')).stdout).toContain('jobs release');
  await place.torc('jobs', 'release', '1');
  expect((await place.torc('jobs', 'run', '1')).code).toBe(0);
  expect(await shown()).toMatchObject({ status: 'done', num_done: 2 });
  const refused = await place.torc('jobs', 'hold', '1');
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('a (job 1) is done') });
});

it('S56: a paused workflow starts nothing; resumed, a worker that waits starts its jobs without being asked', async () => {
  await stored(600);
  expect((await place.torc('workflows', 'pause', '1')).stdout).toContain('workflows resume 1');
  expect(await shown()).toMatchObject({ status: 'paused', is_paused: true, num_done: 0 });
  await place.torc('server', 'start', '--daemon');
  const worker = place.start('jobs', 'run', '1', '-m', '1');
  await expect
    .poll(() => place.json(['compute-nodes', 'list']))
    .toMatchObject({ compute_nodes: [{ is_active: true }] });
  expect(await place.json(['workflows', 'resume', '1'])).toMatchObject({ was_paused: true, is_paused: false });
  expect((await worker.ended).code).toBe(0);
  const instant = async (list: string, column: string, ...words: string[]): Promise<number> => {
    const rows = (await place.json<Record<string, Record<string, string>[]>>([list, 'list', ...words]))[list];
    return Date.parse(rows?.[0]?.[column] ?? '');
  };
  const resumedAt = await instant('events', 'timestamp', '-f', 'type=workflow_resumed');
  const startedAt = await instant('results', 'start_time');
  // by itself it looks only every 20 to 30 s
  expect([startedAt >= resumedAt, startedAt - resumedAt < 10_000]).toEqual([true, true]);
  expect(await shown()).toMatchObject({ status: 'done', num_done: 2 });
  expect(await place.torc('workflows', 'pause', '1')).toMatchObject({ code: 4 });
});

it('resume of what is not paused runs what has not succeeded, and ends with 7 when all of it is done', async () => {
  const jobs = [{ name: 'a', command: 'echo a >> ran; test -e fixed' }];
  await place.torc('workflows', 'create', place.file('w.json', JSON.stringify({ name: 'study', jobs })));
  expect(await place.torc('workflows', 'resume', '1')).toMatchObject({ code: 4 });
  await place.torc('workflows', 'start', '1');
  expect((await place.torc('jobs', 'run', '1')).code).toBe(1);
  place.file('fixed', '');
  const planned = await place.json<{ changes: unknown[] }>(['workflows', 'resume', '1', '--dry-run']);
  expect(planned.changes).toMatchObject([{ job_name: 'a', new_status: 'ready', reason: 'return code 1' }]);
  expect(await place.json(['workflows', 'resume', '1'])).toEqual({ ...planned, dry_run: false });
  expect((await place.torc('jobs', 'run', '1')).code).toBe(0);
  expect(await place.torc('workflows', 'resume', '1')).toMatchObject({
    code: 7,
    stderr: expect.stringContaining('already complete'),
  });
  // whether or not nodes could be scheduled
  expect(await place.torc('workflows', 'resume', '1', '--schedule', '2')).toMatchObject({ code: 7 });
});

/** For a slow machine. */
const patient = { timeout: 120_000, interval: 100 };

it('S43: 50 at once, then 2, then 0, then 5, then no limit, while jobs run', async () => {
  const command = (n: number) => `touch at-${n}; while [ ! -e go-${n} ]; do sleep 1; done`;
  const jobs = Array.from({ length: 60 }, (_, n) => ({
    name: `j${n}`,
    command: command(n),
    limits: ['fits', 'licence'],
  }));
  const spec = { name: 'study', max_concurrent_jobs: 50, limits: { fits: 55 }, jobs };
  // also before there is a database
  expect((await place.torc('limits', 'set', 'licence', '60')).stdout).toBe('the shared limit licence is 60\n');
  await place.torc('workflows', 'create', place.file('w.json', JSON.stringify(spec)));
  await place.torc('workflows', 'start', '1');
  await place.torc('server', 'start', '--daemon');
  place.start('jobs', 'run', '1', '--cpus', '100', '--memory', '100g');
  const here = dirname(place.file('unused', ''));
  const started = () => readdirSync(here).filter((name) => name.startsWith('at-'));
  const settled = async (count: number) => {
    await vi.waitUntil(() => started().length >= count, patient);
    const ready = await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'status=ready']);
    expect([started().length, ready.jobs.length]).toEqual([count, 60 - count]);
  };
  const end = (from: number, to: number) => {
    for (const name of started().slice(from, to)) place.file(name.replace('at-', 'go-'), '');
  };
  await settled(50);
  await place.torc('workflows', 'modify', '1', '--max-concurrent-jobs', '2');
  end(0, 50);
  await settled(52);
  await place.torc('workflows', 'modify', '1', '--max-concurrent-jobs', '0');
  expect((await place.torc('jobs', 'show', '60')).stdout).toContain('max_concurrent_jobs');
  for (const name of started()) place.file(name.replace('at-', 'go-'), '');
  await vi.waitUntil(async () => (await shown()).num_done === 52, patient);
  await settled(52);
  await place.torc('workflows', 'modify', '1', '--max-concurrent-jobs', '5');
  await settled(57);
  await place.torc('workflows', 'modify', '1', '--max-concurrent-jobs', 'none');
  await settled(60);
  for (const { name } of jobs) place.file(name.replace('j', 'go-'), '');
  await vi.waitUntil(async () => (await shown()).num_done === 60, patient);
});
