/** Where the token and the key must not appear, and who can read what torc writes, whatever the umask. */
import { spawn } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { readServerFile } from '../../src/api/server-file.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { mainJs } from '../support/torc.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const workflow = {
  name: 'w',
  jobs: [
    {
      name: 'tells all it knows',
      command: 'env; tr "\\0" "\\n" < /proc/self/environ; tr "\\0" "\\n" < /proc/$PPID/cmdline; set; ls /proc/self/fd',
    },
    { name: 'fails', command: 'echo "$PWD" >&2; exit 3' },
  ],
  actions: [
    { trigger_type: 'on_workflow_start', action_type: 'run_commands', commands: ['env; set'] },
    { trigger_type: 'on_worker_start', action_type: 'run_commands', commands: ['env; set'] },
  ],
  resource_monitor: { enabled: true, granularity: 'time_series', sample_interval_seconds: 1 },
};

/** Runs these commands, one after the other, with this umask and the most talkative level; returns what they printed. */
async function runAll(umask: string, lines: string[]): Promise<{ place: Place; printed: string }> {
  const fake = new FakeSlurm({ run: false });
  cleanups.push(() => fake.remove());
  const place = newPlace(fake.env);
  cleanups.push(() => place.remove());
  place.file('w.json', JSON.stringify(workflow));
  const torc = `"${process.execPath}" "${mainJs}" --dir "${place.dir}" -c debug`;
  const script = `umask ${umask}\n${lines.map((line) => `${torc} ${line}`).join('\n')}\n`;
  const child = spawn('bash', ['-x', '-c', script], { cwd: place.path, env: fake.env });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (printed += text));
  await new Promise((resolve) => child.on('close', resolve));
  return { place, printed };
}

/** Paths below the place, relative to it, with what group and others may do; the server may be removing one. */
function filesOf(place: Place): { path: string; isOpen: boolean; isFile: boolean }[] {
  const paths = readdirSync(place.path, { recursive: true }).map(String).sort();
  return paths.flatMap((path) => {
    const stats = lstatSync(join(place.path, path), { throwIfNoEntry: false });
    return stats === undefined ? [] : [{ path, isOpen: (stats.mode & 0o077) !== 0, isFile: stats.isFile() }];
  });
}

it('with umask 000 only the output of jobs is open, and token and key are only in their files', async () => {
  const { place, printed } = await runAll('000', [
    'server start --daemon',
    'workflows create w.json',
    'hpc slurm add-config -N c -a acc',
    'workflows start',
    'hpc slurm schedule-nodes -n 1 -k -o out',
    'jobs run -o out',
    'jobs show 99',
    'server info',
    'workflows export -o document.json',
  ]);
  const token = readServerFile(place.dir)?.token ?? '';
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  const files = filesOf(place);
  const open = files.filter(({ isOpen }) => isOpen).map(({ path }) => path);
  const ofPerson = /^(w\.json|document\.json|out(\/(job_stdio|resource_monitor)(\/.*)?)?|out\/slurm_stdio)$/;
  expect(open.filter((path) => !ofPerson.test(path))).toEqual([]);
  const written = files.map(({ path }) => path).join('\n');
  for (const made of [
    /server dir\/torc\.db$/m,
    /dir\/server\.log/,
    /dir\/actions\//,
    /out\/worker_.*\.log/,
    /\.sbatch$/m,
  ]) {
    expect(written).toMatch(made);
  }
  const key = readFileSync(join(place.dir, 'key.pem'), 'utf8').split('\n')[1] ?? '';
  expect(key.length).toBeGreaterThan(40);
  for (const secret of [token, key]) expect(printed).not.toContain(secret);
  const holders = files.filter(({ path, isFile }) => {
    return isFile && [token, key].some((secret) => readFileSync(join(place.path, path)).includes(secret));
  });
  expect(holders.map(({ path }) => path)).toEqual(['server dir/key.pem', 'server dir/server.json']);
  // the job did tell what it knows
  const out = files.filter(({ path }) => /job_stdio.*\.out$/.test(path));
  expect(out.map(({ path }) => readFileSync(join(place.path, path), 'utf8')).join()).toContain('TORC_JOB_NAME=tells');
});

it('with umask 077 nothing is open', async () => {
  const { place } = await runAll('077', ['run w.json -o out']);
  expect(filesOf(place).length).toBeGreaterThan(10);
  expect(filesOf(place).filter(({ isOpen, path }) => isOpen && path !== 'w.json')).toEqual([]);
});
