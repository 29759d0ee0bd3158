/**
 * Workers that reach no address of the server, and the relay that the server starts for them. `server.json` is rewritten so
 * that its addresses lead nowhere, and `ssh` is a script that runs the command here.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, test } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import type { Ended } from '../support/torc.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let place: Place;
let slurm: FakeSlurm;
eachTestWithSlurm({ run: true }, (both) => {
  ({ place, slurm } = both);
});

const serverFile = () => join(place.dir, 'server.json');

/** Puts an `ssh` on the PATH that notes how it was called. */
function fakeSsh(): Record<string, string> {
  const bin = join(place.path, 'bin');
  mkdirSync(bin);
  const path = join(bin, 'ssh');
  writeFileSync(
    path,
    `#!/bin/sh\necho "$@" >> '${place.path.replaceAll("'", "'\\''")}/ssh-calls'\nfor last; do :; done\nexec sh -c "$last"\n`,
  );
  chmodSync(path, 0o755);
  return { PATH: `${bin}${delimiter}${slurm.env.PATH}` };
}

interface Cut {
  /** The server's own port. */
  port: number;
  /** Publishes the true addresses again. */
  restore(): void;
}

/** Publishes addresses at which nobody answers. */
function cutNetwork(): Cut {
  const whole = readFileSync(serverFile(), 'utf8');
  const published = JSON.parse(whole) as { addresses: string[] };
  const port = Number(published.addresses.at(-1)?.split(':').at(-1));
  const addresses = ['name.invalid:7', '127.0.0.9:9'];
  writeFileSync(serverFile(), JSON.stringify({ ...published, hostname: 'elsewhere', addresses }));
  return { port, restore: () => writeFileSync(serverFile(), whole) };
}

/** A command in an allocation that has a relay: it reaches the server although its addresses lead nowhere. */
async function fromElsewhere({ port }: Cut, ...words: string[]): Promise<Ended> {
  mkdirSync(join(place.dir, 'network'), { recursive: true, mode: 0o700 });
  const relay = {
    slurm_job_id: '999',
    node: 'n',
    num_nodes: 1,
    hostname: hostname(),
    port,
    addresses: [],
    problem: null,
  };
  const path = join(place.dir, 'network', 'relay_999.json');
  writeFileSync(path, JSON.stringify(relay), { mode: 0o600 });
  const ended = await place.torcWith({ SLURM_JOB_ID: '999' }, ...words);
  rmSync(path);
  return ended;
}

interface Note {
  problem: string;
  slurm_job_id: string;
}

/** What lies in the folder `network`, by the kind of the file. */
function network<T>(kind: 'worker' | 'relay'): T | null {
  try {
    const folder = join(place.dir, 'network');
    const name = readdirSync(folder).find(
      (each) => each.startsWith(`${kind}_`) && each.endsWith('.json') && !each.includes('999'),
    );
    return name === undefined ? null : (JSON.parse(readFileSync(join(folder, name), 'utf8')) as T);
  } catch {
    return null;
  }
}

const ran = (): string[] => {
  try {
    return readdirSync(join(place.path, 'ran')).sort();
  } catch {
    return [];
  }
};

/** A workflow whose jobs each make a file, and an allocation for it; the network is cut before. */
async function submitCut(numJobs: number, env: Record<string, string>, ...options: string[]): Promise<Cut> {
  const started = await place.torcWith(env, 'server', 'start', '--daemon', ...options);
  expect(started.code).toBe(0);
  mkdirSync(join(place.path, 'ran'));
  // a job that ran twice would fail
  const key = await place.create(...Array.from({ length: numJobs }, (_, i) => `set -C; : > ran/${i}; sleep 0.3`));
  await place.torc('workflows', 'start', key);
  await place.torc('-k', key, 'hpc', 'slurm', 'add-config', '-a', 'account', '-w', '10');
  const cut = cutNetwork();
  const scheduled = await fromElsewhere(cut, '-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '1');
  expect(scheduled).toMatchObject({ code: 0 });
  return cut;
}

test('without a relay a worker says which addresses it tried and why each failed; why and doctor repeat it', async () => {
  const cut = await submitCut(2, {});
  await expect.poll(() => network<Note>('worker')?.problem ?? '', { timeout: 120_000 }).toContain('name.invalid:7');
  const { problem, slurm_job_id } = network<Note>('worker') as Note;
  expect(problem).toContain('the server on elsewhere (pid ');
  expect(problem).toContain('the name does not resolve (name.invalid:7); connection refused (127.0.0.9:9)');
  expect(network('relay')).toBe(null);
  expect(ran()).toEqual([]);

  const why = await fromElsewhere(cut, 'why', '1');
  expect(why.stdout).toContain(`(Slurm job ${slurm_job_id}) has no connection: ${problem}.`);
  const whyJson = await fromElsewhere(cut, '-F', 'json', 'why', '1');
  const { unreached_workers } = JSON.parse(whyJson.stdout) as { unreached_workers: unknown[] };
  expect(unreached_workers).toMatchObject([{ slurm_job_id, workflow_key: '1', problem, relay_problem: null }]);
  const status = await fromElsewhere(cut, 'status', '1');
  expect(status.stdout).toContain(`(Slurm job ${slurm_job_id}) has no connection: the server on elsewhere`);
  expect(status.stdout).toMatch(/^not heard from:\n {2}The worker .*\n {4}.* server start --daemon --relay slurm\n/m);
  const statusJson = await fromElsewhere(cut, '-F', 'json', 'status', '1');
  expect(JSON.parse(statusJson.stdout)).toMatchObject({ unreached_workers, allocations_without_worker: [] });
  const all = await fromElsewhere(cut, 'status');
  expect(all.stderr).toMatch(/1 worker of workflow 1 has no connection to the server: .* status 1\n/);
  const doctor = await fromElsewhere(cut, 'doctor');
  expect(doctor.stdout).toMatch(/^warning +network +The worker on .* has no connection/m);

  // as soon as there is a way again, nothing is left of it
  cut.restore();
  await place.torc('wait', '1');
  expect(ran()).toEqual(['0', '1']);
  await expect.poll(() => network('worker'), { timeout: 60_000 }).toBe(null);
  expect((await place.torc('doctor')).stdout).toMatch(/^ok +network +workers find the server at /m);
});

test('by a relay that is killed, and a server that is killed, every job runs once', async () => {
  const env = fakeSsh();
  await submitCut(40, env, '--relay', 'ssh');
  interface RelayFile {
    port: number | null;
  }
  await expect.poll(() => network<RelayFile>('relay')?.port, { timeout: 90_000 }).toBeGreaterThan(0);
  await expect.poll(() => ran().length, { timeout: 60_000 }).toBeGreaterThan(2);
  expect(network('worker')).toBe(null);

  const { pid, token } = JSON.parse(readFileSync(serverFile(), 'utf8')) as { pid: number; token: string };
  for (const relay of relaysOf(pid)) process.kill(relay, 'SIGKILL');
  const before = ran().length;
  await expect.poll(() => ran().length, { timeout: 120_000 }).toBeGreaterThan(before);
  expect(commandLines().filter((line) => line.includes(token))).toEqual([]);

  process.kill(pid, 'SIGKILL');
  await place.torcWith(env, 'server', 'start', '--daemon', '--relay', 'ssh');
  const { restore } = cutNetwork();
  const middle = ran().length;
  await expect.poll(() => ran().length, { timeout: 120_000 }).toBeGreaterThan(middle);
  await expect.poll(() => ran().length, { timeout: 120_000 }).toBe(40);

  restore();
  expect((await place.torc('wait', '1')).code).toBe(0);
  expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ status: 'done', num_done: 40, num_failed: 0 });
  const calls = readFileSync(join(place.path, 'ssh-calls'), 'utf8').trim().split('\n');
  expect(calls.length).toBeGreaterThan(1);
  for (const call of calls) expect(call).toMatch(/^-T -a -x .* BatchMode=yes .* fake1 .*server relay$/);
});

/** The relays that the server with this pid has started. */
function relaysOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        const parent = /\) \S (\d+) /.exec(readFileSync(`/proc/${each}/stat`, 'utf8'))?.[1];
        return Number(parent) === pid && readFileSync(`/proc/${each}/cmdline`, 'utf8').includes('relay');
      } catch {
        return false;
      }
    });
}

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
}
