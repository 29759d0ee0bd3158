/**
 * An output directory in which another user may put, rename and remove things, also while jobs run: the owner's other
 * files are neither written, read nor emptied, and nothing waits for a pipe.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { asOtherUser, canBeOtherUser, startAsOtherUser } from './as-other-user.ts';

let place: Place;
let out: string;
let bait: string;

const secret = '{"secret": "of the owner"}\n';
const folders = ['job_stdio', 'resource_monitor', 'user_data'].flatMap((name) => [name, `${name}/0000`]);
/** Gives others two seconds to put their folder in the place of the one it writes to. */
const writing = `
  path="\${user_data.output.d}" n=0
  while [ -O "$(dirname "$path")" ] && [ $n -lt 20 ]; do sleep 0.1; n=$((n + 1)); done
  echo '{"x": 1}' > "$path"`;
const jobs = [
  { name: 'prints', command: 'echo told; echo complained >&2; sleep 1.5' },
  { name: 'writes', command: writing, output_user_data: ['d'] },
  { name: 'recovers', command: 'exit 75', failure_handler: 'h' },
];

beforeEach(() => {
  place = newPlace();
  chmodSync(place.path, 0o755);
  out = join(place.path, 'out');
  // as an older torc made them for somebody whose umask lets others write
  for (const name of ['', ...folders]) {
    mkdirSync(join(out, name));
    chmodSync(join(out, name), 0o777);
  }
  bait = place.file('bait', secret);
  chmodSync(bait, 0o600);
});
afterEach(async () => {
  expect(readFileSync(bait, 'utf8')).toBe(secret);
  expect(statSync(bait).mode & 0o777).toBe(0o600);
  await place.remove();
});

function spec(stdio: string): string {
  const failure_handlers = [{ name: 'h', rules: [{ exit_codes: [75], recovery_script: 'exit 9', max_retries: 1 }] }];
  const resource_monitor = { enabled: true, granularity: 'time_series', sample_interval_seconds: 1 };
  const user_data = [{ name: 'd' }];
  return JSON.stringify({ name: 'w', stdio, jobs, failure_handlers, resource_monitor, user_data });
}

/** Every path that torc uses for these jobs and that can be foreseen; workers have the number of their process. */
function foreseen(): string[] {
  const attempts = ['1_run_1_attempt_1', '2_run_1_attempt_1', '3_run_1_attempt_1', '3_run_1_attempt_2'];
  const ofJobs = attempts.flatMap((attempt) => [
    ...['out', 'err', 'recovery'].map((ending) => `job_stdio/0000/job_${attempt}.${ending}`),
    `resource_monitor/0000/job_${attempt}.csv`,
  ]);
  const pids = Array.from({ length: 3_000 }, (_, index) => process.pid + index);
  return ['.torc_server', ...ofJobs, ...pids.map((pid) => `worker_${hostname()}_${pid}.log`)];
}

const plants = {
  links: `require('fs').symlinkSync(bait, path)`,
  pipes: `pipes.push(path)`,
};

/** Puts links and pipes in the place of every file, and own folders in the place of those of workers. */
const plantForever = `
  const fs = require('fs'), [out, bait] = process.argv.slice(1);
  const { execFileSync } = require('child_process');
  const own = process.getuid();
  let round = 0;
  process.chdir(out);
  const attempt = (act) => { try { act(); return true; } catch { return false; } };
  const put = (path) => {
    const near = path + '.' + round++;
    if (round % 3 === 0) execFileSync('mkfifo', ['-m', '666', near]);
    else fs.symlinkSync(bait, near);
    fs.renameSync(near, path);
    fs.writeFileSync('exchanged', '');
  };
  for (;;) for (const folder of ['.', 'job_stdio', 'job_stdio/0000', 'resource_monitor/0000', 'user_data/0000']) {
    for (const name of attempt(() => fs.readdirSync(folder)) ? fs.readdirSync(folder) : []) attempt(() => {
      const path = folder + '/' + name, found = fs.lstatSync(path);
      if (found.uid === own) return;
      if (found.isFile()) return put(path);
      if (!/^(worker_|job_[0-9])\\w+$/.test(name)) return;
      fs.renameSync(path, path + '.taken' + round++);
      fs.mkdirSync(path, 0o777);
      for (const each of ['slot_1.out', 'slot_1.err', 'slot_2.out', 'combined.gz', '0.json']) put(path + '/' + each);
    });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }`;

describe.skipIf(!canBeOtherUser)('links and pipes in the place of output', () => {
  it.each([
    ['files', 'links'],
    ['files', 'pipes'],
    ['combined', 'links'],
    ['combined', 'pipes'],
    ['on-failure', 'links'],
    ['none', 'pipes'],
  ] as const)('are neither followed nor waited for: stdio %s, %s', async (stdio, kind) => {
    const planted = await asOtherUser(
      process.execPath,
      [
        '-e',
        `const [out, bait, ...paths] = process.argv.slice(1), pipes = [];
          process.chdir(out);
          for (const path of JSON.parse(require('fs').readFileSync(0, 'utf8'))) { ${plants[kind]}; }
          if (pipes.length > 0) require('child_process').execFileSync('mkfifo', ['-m', '666', ...pipes]);`,
        out,
        bait,
      ],
      JSON.stringify(foreseen()),
    );
    expect(planted).toMatchObject({ code: 0, stderr: '' });
    place.file('w.json', spec(stdio));
    const ended = await place.torc('run', 'w.json', '-o', 'out');
    expect(ended).toMatchObject({ code: 1 });
    expect(ended.stderr).toContain('the output of jobs can be replaced by others');
    const results = await place.json<{ results: { job_name: string; return_code: number }[] }>(['results', 'list']);
    expect(results.results.map(({ job_name, return_code }) => `${job_name} ${return_code}`).sort()).toEqual([
      'prints 0',
      'recovers 75',
      'recovers 9',
      'writes 0',
    ]);
    expect((await place.torc('jobs', 'show', '3')).stdout).toContain('its recovery script failed with 9');
    if (stdio === 'files' || stdio === 'combined') {
      expect((await place.torc('jobs', 'logs', '1')).stdout).toContain('told\n');
    }
    const csv = readFileSync(join(out, 'resource_monitor/0000/job_1_run_1_attempt_1.csv'), 'utf8');
    expect(csv).toMatch(/^seconds,memory_bytes,cpu_seconds\n/);
    const own = readdirSync(out, { recursive: true })
      .map((path) => join(out, String(path)))
      .filter((path) => lstatSync(path).uid === 0 && lstatSync(path).isFile());
    expect(own.filter((path) => path.endsWith('.log'))).toHaveLength(1);
  });

  it('are out of the way of user data, whose folder another user made first', async () => {
    const theirs = join(out, 'user_data/0000/job_2_run_1_attempt_1');
    await asOtherUser('sh', ['-c', 'mkdir "$1" && ln -s "$2" "$1/0.json"', 'sh', theirs, bait]);
    place.file('w.json', spec('files'));
    expect(await place.torc('run', 'w.json', '-o', 'out')).toMatchObject({ code: 1 });
    const shown = await place.json<{ user_data: { name: string; data: unknown }[] }>(['user-data', 'list']);
    expect(shown.user_data).toMatchObject([{ name: 'd', data: { x: 1 } }]);
  });

  it.each(['files', 'combined'])('lead nowhere while they are planted again and again: stdio %s', async (stdio) => {
    const attacker = await startAsOtherUser(plantForever, [out, bait]);
    try {
      place.file('w.json', spec(stdio));
      const ended = await place.torc('run', 'w.json', '-o', 'out');
      expect(ended).toMatchObject({ code: 1, signal: null });
    } finally {
      attacker.kill('SIGKILL');
    }
    expect(existsSync(join(out, 'exchanged'))).toBe(true);
  });
});
