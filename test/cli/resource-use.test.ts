/** What jobs have used, and requests that follow it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

interface Change {
  job_name: string;
  changes: { field: string; old_value: unknown; new_value: unknown }[];
}
interface Plan {
  dry_run: boolean;
  jobs: Change[];
  running: string[];
}

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const jobs = [1, 2, 3].map((n) => ({ name: `work_${n}`, command: 'sleep 0.05', resource_requirements: 'long' }));
  const spec = {
    name: 'w',
    resource_requirements: [{ name: 'long', num_cpus: 1, memory: '64m', runtime: 'PT10S' }],
    jobs: [...jobs, { name: 'other', command: 'sleep 0.05' }],
  };
  await place.json(['workflows', 'create', place.file('w.json', JSON.stringify(spec))]);
  await place.json(['workflows', 'start', '1']);
  await place.json(['jobs', 'hold', 'work_3', '-k', '1']);
  await place.torc('jobs', 'run', '1', '-o', 'out', '-t', 'PT30S');
});
afterAll(() => place.remove());

it('are reported by the forms of their names, also as text', async () => {
  const { usage } = await place.json<{ usage: Record<string, unknown>[] }>(['reports', 'resources', '1']);
  expect(usage).toMatchObject([
    { stem: 'other', num_attempts: 1, runtime_seconds: { requested: null, finding: null } },
    { stem: 'work_*', num_attempts: 2, runtime_seconds: { requested: 10, proposed: 1, finding: 'under_half' } },
  ]);
  const { stdout } = await place.torc('reports', 'resources', '1');
  expect(stdout).toMatch(/^work_\* +2 +memory +64M/m);
  expect(stdout).toMatch(/^work_\* +2 +runtime +10 s .* 1\.0 s +less than half used$/m);
  expect(stdout).toMatch(/torc.* workflows correct-resources 1 --dry-run$/m);
});

it('change what is still to run as a dry run says, and nothing else', async () => {
  const correct = ['workflows', 'correct-resources', '1'];
  expect(await place.json<Plan>([...correct, '--only-up', '--dry-run'])).toMatchObject({ jobs: [] });
  const planned = await place.json<Plan>([...correct, '--dry-run']);
  expect(planned.jobs.map(({ job_name }) => job_name)).toEqual(['work_3']);
  expect(planned.jobs[0]?.changes).toContainEqual({ field: 'runtime_seconds', old_value: 10, new_value: 1 });
  expect(await place.json<Plan>(correct)).toEqual({ ...planned, dry_run: false });
  expect((await place.json<Plan>(correct)).jobs).toEqual([]);
  const { jobs } = await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', '1']);
  expect(jobs.map(({ name, runtime_seconds }) => [name, runtime_seconds]).slice(0, 3)).toEqual([
    ['work_1', 10],
    ['work_2', 10],
    ['work_3', 1],
  ]);
});

it('refuse what makes no sense', async () => {
  const both = await place.torc('workflows', 'correct-resources', '1', '--only-up', '--only-down');
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('cannot be combined')]);
});
