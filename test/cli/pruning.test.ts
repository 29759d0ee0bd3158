/** `torc server prune --logs` and `--replaced`: which files go, and which never do. */
import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;

beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Pruned {
  dry_run: boolean;
  before: string;
  num_log_files: number;
  num_log_bytes: number;
  num_logs_left: number;
  logs: { workflow_key: string; name: string; num_files: number; num_bytes: number }[];
  num_databases: number;
  databases: { path: string; num_bytes: number }[];
}

const words = ['server', 'prune', '--older-than', '0s'];
const prune = (...more: string[]): Promise<Pruned> => place.json<Pruned>([...words, ...more]);

const outputs = (folder: string): string[] =>
  readdirSync(join(place.path, folder, 'job_stdio'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(out|err|gz)$/.test(name),
  );

/** Runs a workflow of these commands to its end; returns its key. */
async function run(stdio: string, output: string, ...commands: string[]): Promise<string> {
  const jobs = commands.map((command, index) => ({ name: `j${index}`, command }));
  place.file('w.json', JSON.stringify({ name: 'w', stdio, jobs }));
  const { workflow_key } = await place.json<{ workflow_key: string }>(['workflows', 'create', 'w.json']);
  await place.torc('workflows', 'start', workflow_key);
  await place.torc('jobs', 'run', workflow_key, '-o', output);
  return workflow_key;
}

it('removes the logs of workflows that ended, as its dry run says, and none of one that has not ended', async () => {
  const files = await run('files', 'out', 'echo told', 'echo complained >&2; exit 3');
  const combined = await run('combined', 'out', 'echo one', 'true', 'echo three');
  const open = await run('files', 'open', 'echo kept; exit 1');
  await place.json(['workflows', 'reset-status', open, '--failed-only', '--restart']);
  expect(outputs('out')).toHaveLength(5);

  expect((await prune('--logs', '--dry-run', '--older-than', '1h')).num_log_files).toBe(0);
  const planned = await prune('--logs', '--dry-run');
  expect(planned).toMatchObject({ dry_run: true, num_log_files: 5, num_logs_left: 0, num_databases: 0 });
  expect(planned.logs).toMatchObject([
    { workflow_key: files, name: 'w', num_files: 4, num_bytes: 'told\ncomplained\n'.length },
    { workflow_key: combined, name: 'w', num_files: 1 },
  ]);
  expect(outputs('out')).toHaveLength(5);
  expect(await place.torc(...words, '--logs')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/5 log files \(\S+\) of 2 workflows needs confirmation\nhint: .* --logs --yes\n$/),
  });
  const { before: _, ...counts } = planned;
  const pruned = await prune('--logs', '--yes');
  expect(pruned).toMatchObject({ ...counts, dry_run: false });
  expect(outputs('out')).toEqual([]);
  expect(outputs('open')).toHaveLength(2);

  for (const key of [files, combined]) {
    const { jobs } = await place.json<{ jobs: { job_key: string }[] }>(['jobs', 'list', '-k', key]);
    const told = await place.torc('jobs', 'logs', jobs[0]?.job_key ?? '');
    expect(told).toMatchObject({ code: 3, stderr: expect.stringContaining('removed by torc server prune --logs') });
    expect((await place.torc('jobs', 'show', jobs[0]?.job_key ?? '')).stdout).toContain('server prune --logs');
  }
  const { jobs } = await place.json<{ jobs: { job_key: string }[] }>(['jobs', 'list', '-k', open]);
  expect((await place.torc('jobs', 'logs', jobs[0]?.job_key ?? '', '--run', '1')).stdout).toBe('kept\n');
  expect((await place.torc(...words, '--logs')).stdout).toMatch(/^nothing to prune before /);
  expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
});

it('keeps the logs of results that a rerun has inherited, until the rerun has ended as long ago', async () => {
  const first = await run('files', 'out', 'echo inherited', 'test -e fixed');
  const rerun = async (key: string) =>
    (await place.json<{ workflow_key: string }>(['rerun', key, '--start'])).workflow_key;
  const second = await rerun(first);
  await place.torc('jobs', 'run', second, '-o', 'out');
  const third = await rerun(second);
  // what comes between does not matter: the third inherits what the first has done
  await place.json(['workflows', 'delete', second, '--yes']);
  expect((await prune('--logs', '--dry-run')).num_log_files).toBe(0);
  const other = await run('files', 'out', 'echo other');
  expect((await prune('--logs', '--dry-run')).logs).toMatchObject([{ workflow_key: other }]);

  writeFileSync(join(place.path, 'fixed'), '');
  await place.torc('jobs', 'run', third, '-o', 'out');
  expect((await prune('--logs', '--dry-run', '--older-than', '1h')).num_log_files).toBe(0);
  const { logs } = await prune('--logs', '--yes');
  expect(logs.map(({ workflow_key }) => workflow_key)).toEqual([first, third, other]);
});

it('follows no link, and touches no directory that another server directory has', async () => {
  const bait = place.file('bait', 'precious');
  await run('files', 'linked', 'echo a', 'echo b', 'echo c');
  const folder = join(place.path, 'linked', 'job_stdio', '0000');
  const [first = '', second = ''] = readdirSync(folder).filter((name) => name.endsWith('.out'));
  rmSync(join(folder, first));
  symlinkSync(bait, join(folder, first));
  rmSync(join(folder, second));
  linkSync(bait, join(folder, second));
  await run('files', 'moved', 'echo d');
  renameSync(join(place.path, 'moved', 'job_stdio'), join(place.path, 'elsewhere'));
  symlinkSync(join(place.path, 'elsewhere'), join(place.path, 'moved', 'job_stdio'));
  await run('files', 'foreign', 'echo e');
  const other = newPlace();
  try {
    await other.create('true');
    writeFileSync(join(place.path, 'foreign', '.torc_server'), `${other.dir}\n`);
    // stderr of the first workflow, and of the third job both
    expect(await prune('--logs', '--yes')).toMatchObject({ num_log_files: 4, num_logs_left: 6 });
    expect((await place.torc(...words, '--logs')).stdout).toMatch(/^6 log files stay/m);
  } finally {
    await other.remove();
  }
  expect(readdirSync(folder).toSorted()).toEqual([first, second].toSorted());
  expect(readFileSync(bait, 'utf8')).toBe('precious');
  expect(readdirSync(join(place.path, 'elsewhere', '0000'))).toHaveLength(2);
  expect(outputs('foreign')).toHaveLength(2);
});

it('removes databases that were replaced before an instant, and no other copies', async () => {
  await place.create('true');
  await place.json(['server', 'backup', 'b.db']);
  await place.json(['server', 'restore', 'b.db']);
  const folder = join(place.dir, 'backups');
  const [fresh = ''] = readdirSync(folder);
  const old = 'replaced_20200101T000000000Z.db';
  const others = ['schema_3_20200101T000000000Z.db', 'replaced_20200101.db', 'mine.db'];
  for (const name of [old, ...others]) writeFileSync(join(folder, name), 'x');
  const planned = await prune('--older-than', '30d', '--replaced', '--dry-run');
  expect(planned).toMatchObject({ num_databases: 1, databases: [{ path: join(folder, old), num_bytes: 1 }] });
  expect(existsSync(join(folder, old))).toBe(true);
  expect(await prune('--older-than', '30d', '--replaced', '--yes')).toMatchObject({ dry_run: false, num_databases: 1 });
  expect(readdirSync(folder).toSorted()).toEqual([fresh, ...others].toSorted());
  expect((await place.torc(...words, '--replaced', '--yes')).stdout).toContain('removed 1 replaced database (');
  expect(readdirSync(folder).toSorted()).toEqual(others.toSorted());
});
