/** What a restart reruns after one change in a finished workflow: the answers that users rely on. */
import { existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/api/contract.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
let key: string;

const copy = (from: string[], to: string[]) =>
  to
    .map((name) => `cat ${from.map((each) => `"\${files.input.${each}}"`).join(' ')} > "\${files.output.${name}}"`)
    .join(' && ');

/** inputs -> preprocess -> f1, f2 -> work1, work2 -> f3, f4 -> postprocess -> f5 */
const spec = {
  name: 'known answers',
  files: ['inputs', 'f1', 'f2', 'f3', 'f4', 'f5'].map((name) => ({ name, path: `the ${name}.txt` })),
  jobs: [
    { name: 'preprocess', command: copy(['inputs'], ['f1', 'f2']) },
    { name: 'work1', command: copy(['f1'], ['f3']) },
    { name: 'work2', command: `test ! -e "break work2" && ${copy(['f2'], ['f4'])}` },
    { name: 'postprocess', command: copy(['f3', 'f4'], ['f5']) },
  ],
};

const pathOf = (name: string): string => join(place.path, `the ${name}.txt`);

beforeEach(async () => {
  place = newPlace();
  writeFileSync(pathOf('inputs'), 'some input\n');
  const ran = await place.json<{ workflow_key: string }>(['run', place.file('spec.json', JSON.stringify(spec))]);
  key = ran.workflow_key;
});
afterEach(() => place.remove());

async function statuses(): Promise<Record<string, string>> {
  const { jobs } = await place.json<{ jobs: { name: string; status: string }[] }>(['jobs', 'list']);
  return Object.fromEntries(jobs.map((job) => [job.name, job.status]));
}

/** The database on disk, read by another program once no process has it open. */
async function dump(): Promise<string> {
  const { default: Sqlite } = await import('better-sqlite3');
  const db = new Sqlite(join(place.dir, 'torc.db'));
  try {
    const tables = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`).all() as {
      name: string;
    }[];
    return JSON.stringify(tables.map(({ name }) => [name, db.prepare(`SELECT * FROM "${name}"`).all()]));
  } finally {
    db.close();
  }
}

/** Ends with 7 when there is nothing to run. */
async function restartPlan(...options: string[]): Promise<Plan> {
  const { code, stdout, stderr } = await place.torc('-F', 'json', 'workflows', 'restart', ...options);
  if (code !== 0 && code !== 7) throw new Error(stderr);
  const plan = JSON.parse(stdout) as Plan;
  expect(code).toBe(plan.changes.length === 0 ? 7 : 0);
  return plan;
}

/** The new statuses by job, as the dry run says (which changes nothing) and as applied. */
async function restarted(...options: string[]): Promise<Record<string, string>> {
  const before = await dump();
  const planned = await restartPlan('--dry-run', ...options);
  expect(await dump()).toBe(before);
  const applied = await restartPlan(...options);
  expect({ ...applied, dry_run: true }).toEqual(planned);
  const now = await statuses();
  const changes = Object.fromEntries(planned.changes.map((change) => [change.job_name, change.new_status]));
  for (const [name, status] of Object.entries(now)) expect(changes[name] ?? 'done').toBe(status);
  return changes;
}

async function finishes(): Promise<void> {
  expect((await place.torc('jobs', 'run')).code).toBe(0);
  expect(new Set(Object.values(await statuses()))).toEqual(new Set(['done']));
}

const all = { preprocess: 'ready', work1: 'blocked', work2: 'blocked', postprocess: 'blocked' };

describe('a finished workflow', () => {
  it('reruns nothing when nothing changed', async () => {
    expect(await restarted()).toEqual({});
    expect(await statuses()).toEqual({ preprocess: 'done', work1: 'done', work2: 'done', postprocess: 'done' });
  });

  it.each([
    ['f1', all],
    ['f2', all],
    ['f3', { work1: 'ready', postprocess: 'blocked' }],
    ['f4', { work2: 'ready', postprocess: 'blocked' }],
    ['f5', { postprocess: 'ready' }],
  ])('reruns what makes %s, and all behind it, when it was deleted', async (name, expected) => {
    rmSync(pathOf(name));
    expect(await restarted()).toEqual(expected);
    await finishes();
    expect(existsSync(pathOf(name))).toBe(true);
    expect(await restarted()).toEqual({});
  });

  it('does not restart without its input, unless told to', async () => {
    rmSync(pathOf('inputs'));
    const { code, stderr } = await place.torc('workflows', 'restart', '--dry-run');
    expect(code).toBe(3);
    expect(stderr).toContain('input file inputs (the inputs.txt), needed by preprocess');
    expect(await restarted('-i')).toEqual(all);
  });

  it('reruns everything when the input was touched, or changed with an old mtime', async () => {
    utimesSync(pathOf('inputs'), new Date(), new Date(Date.now() + 5000));
    expect(await restarted()).toEqual(all);
    await finishes();
    const time = new Date(Date.now() + 5000);
    utimesSync(pathOf('inputs'), time, time);
    await restarted();
    await finishes();
    const text = readFileSync(pathOf('inputs'), 'utf8');
    writeFileSync(pathOf('inputs'), text.toUpperCase());
    utimesSync(pathOf('inputs'), time, time);
    expect(await restarted()).toEqual(all);
  });

  it('reruns the readers of an intermediate file that was edited, not its producer', async () => {
    writeFileSync(pathOf('f1'), 'by hand\n');
    expect(await restarted()).toEqual({ work1: 'ready', postprocess: 'blocked' });
    await finishes();
    expect(readFileSync(pathOf('f5'), 'utf8')).toBe('by hand\nsome input\n');
  });

  it('reruns a job whose command changed, but not one whose name, priority or requirements changed', async () => {
    await place.json(['jobs', 'modify', '2', '--priority', '7', '--memory', '2g', '--name', 'renamed']);
    expect(await restarted()).toEqual({});
    await place.json(['jobs', 'modify', '3', '--command', 'echo other > "the f4.txt"']);
    expect(await restarted()).toEqual({ work2: 'ready', postprocess: 'blocked' });
    await finishes();
    expect(await restarted()).toEqual({});
  });

  it('reset by key: the job is ready, downstream jobs are blocked', async () => {
    const { changes } = await place.json<Plan>(['jobs', 'reset-status', '2']);
    expect(changes.map((change) => [change.job_name, change.new_status])).toEqual([
      ['work1', 'uninitialized'],
      ['postprocess', 'uninitialized'],
    ]);
    rmSync(pathOf('f1'));
    const { code, stderr } = await place.torc('workflows', 'restart', '--only-uninitialized');
    expect([code, stderr]).toEqual([3, expect.stringMatching(/input file f1 .*\n.*start at .*torc's cli /)]);
    expect(await restarted('--only-uninitialized', '-i')).toEqual({ work1: 'ready', postprocess: 'blocked' });
  });
});

describe('a workflow with a failed job', () => {
  it('--failed-only resets exactly the failed job and its downstream jobs', async () => {
    writeFileSync(join(place.path, 'break work2'), '');
    rmSync(pathOf('f4'));
    await restarted();
    expect((await place.torc('jobs', 'run')).code).toBe(1);
    expect(await statuses()).toMatchObject({ work2: 'done', postprocess: 'canceled' });
    const kept = await place.torc('workflows', 'restart', '--dry-run');
    expect(kept.stdout).toContain('jobs reset-status 3');
    const reset = ['workflows', 'reset-job-status', '--failed-only', key];
    const { changes } = await place.json<Plan>(reset);
    expect(changes.map((change) => change.job_name)).toEqual(['work2', 'postprocess']);
    rmSync(join(place.path, 'break work2'));
    expect(await restarted()).toEqual({ work2: 'ready', postprocess: 'blocked' });
    await finishes();
  });
});

describe('ephemeral user data', () => {
  it('is cleared by a restart, so its producer and consumers rerun', async () => {
    const ephemeral = {
      name: 'ephemeral',
      user_data: [{ name: 'the port', is_ephemeral: true }, { name: 'kept' }],
      jobs: [
        { name: 'writes', command: `echo 8080 > "\${user_data.output.the port}"` },
        {
          name: 'reads',
          command: `test '\${user_data.input.the port}' = 8080 && echo '{"a":"it'"'"'s"}' > "\${user_data.output.kept}"`,
        },
        { name: 'beside', command: 'true' },
      ],
    };
    const { workflow_key } = await place.json<{ workflow_key: string }>([
      ...['run', place.file('ephemeral.json', JSON.stringify(ephemeral))],
    ]);
    const plan = await place.json<Plan>(['workflows', 'restart', workflow_key, '--dry-run']);
    expect(plan).toMatchObject({ cleared_user_data: ['the port'] });
    expect(plan.changes.map((change) => [change.job_name, change.new_status])).toEqual([
      ['writes', 'ready'],
      ['reads', 'blocked'],
    ]);
    await place.json(['workflows', 'restart', workflow_key]);
    expect(await place.json(['user-data', 'show', 'the port', '-k', workflow_key])).toBeNull();
    expect((await place.torc('jobs', 'run', workflow_key)).code).toBe(0);
    expect(await place.json(['user-data', 'show', 'kept', '-k', workflow_key])).toEqual({ a: "it's" });
  });
});
