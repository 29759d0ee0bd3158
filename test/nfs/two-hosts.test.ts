/** Two hosts that mount one NFS export: one server, workers on both, and what happens when either server goes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readServerFile } from '../../src/api/server-file.ts';
import type { Ended } from '../support/torc.ts';
import { type Host, type Nfs, patience, startNfs, whyNoNfs } from './hosts.ts';

let nfs: Nfs;

beforeAll(async () => {
  if (whyNoNfs === null) nfs = await startNfs();
});
afterAll(() => nfs?.remove());

interface Row {
  name: string;
  status: string;
  return_code: number | null;
}

/** Starts a workflow of these jobs, without workers. */
async function create(host: Host, folder: string, jobs: object[], files: object[] = []): Promise<string> {
  writeFileSync(nfs.onServer(join(folder, 'w.json')), JSON.stringify({ name: 'w', jobs, files }));
  const { workflow_key: key } = await host.json<{ workflow_key: string }>(folder, 'workflows', 'create', 'w.json');
  await host.json(folder, 'workflows', 'start', key);
  return key;
}

const work = (host: Host, folder: string, key: string) =>
  host.torc(folder, 'jobs', 'run', key, '-o', 'out', '--cpus', '2');

/** Waits until there is a file, which the worker must see to. */
async function exists(path: string, worker: Promise<Ended>): Promise<void> {
  let end: Ended | null = null;
  void worker.then((ended) => {
    end = ended;
  });
  await vi.waitUntil(() => end !== null || existsSync(nfs.onServer(path)), patience);
  expect(end).toBe(null);
}

const results = async (host: Host, folder: string, key: string): Promise<Row[]> =>
  (await host.json<{ results: Row[] }>(folder, 'results', 'list', key)).results;

/** D for a process that waits for a file system. */
const stateOf = (pid: number): string | undefined => / ([A-Z]) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];

describe.skipIf(whyNoNfs !== null)('over NFS', () => {
  it('one host serves, and workers of both do jobs that hand files to each other', async () => {
    const folder = nfs.newFolder();
    await nfs.serve(nfs.a, folder);
    const second = await nfs.b.torc(folder, 'server', 'start');
    expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining('already running on torc-a') });
    // no job of the first stage ends before all four run, so both hosts have two of them
    const stage = (name: string, command: string, more: object) =>
      [1, 2, 3, 4].map((number) => ({
        name: `${name}${number}`,
        command: command.replaceAll('#', `${number}`),
        ...more,
      }));
    const files = [1, 2, 3, 4].map((number) => ({ name: `f${number}`, path: `f${number}` }));
    const first = stage(
      'first',
      'touch ready#; until ls ready1 ready2 ready3 ready4; do sleep 0.1; done; hostname > f#',
      {},
    );
    const jobs = [
      ...first.map((job, index) => ({ ...job, output_files: [`f${index + 1}`] })),
      ...stage('second', 'cat f1 f2 f3 f4 > all#', { input_files: files.map(({ name }) => name) }),
    ];
    const key = await create(nfs.b, folder, jobs, files);
    const workers = await Promise.all([work(nfs.a, folder, key), work(nfs.b, folder, key)]);
    expect(
      workers.map(({ code }) => code),
      workers.map(({ stderr }) => stderr).join(),
    ).toEqual([0, 0]);
    const rows = await results(nfs.a, folder, key);
    expect(rows.map(({ return_code }) => return_code)).toEqual(Array(8).fill(0));
    const hosts = readFileSync(nfs.onServer(join(folder, 'all3')), 'utf8')
      .trim()
      .split('\n')
      .sort();
    expect(hosts).toEqual(['torc-a', 'torc-a', 'torc-b', 'torc-b']);
  });

  it('a frozen server is replaced by one of another host, and ends when it goes on', async () => {
    const folder = nfs.newFolder();
    const frozen = await nfs.serve(nfs.a, folder);
    const key = await create(nfs.b, folder, [
      { name: 'held', command: 'touch started; until ls go; do sleep 0.1; done' },
    ]);
    const worker = work(nfs.b, folder, key);
    await exists(join(folder, 'started'), worker);
    process.kill(frozen.pid, 'SIGSTOP');
    // its lock stays: the kernel of its host goes on renewing it
    const next = await nfs.serve(nfs.b, folder);
    process.kill(frozen.pid, 'SIGCONT');
    await frozen.ended;
    writeFileSync(nfs.onServer(join(folder, 'go')), '');
    expect((await worker).code).toBe(0);
    process.kill(next.pid, 'SIGKILL');
    await next.ended;
    expect(await results(nfs.a, folder, key)).toMatchObject([{ return_code: 0 }]);
    expect(await nfs.a.json(folder, 'server', 'check')).toMatchObject({ sound: true });
  });

  it('everything waits while the NFS server is away, and goes on when it is back', async () => {
    const folder = nfs.newFolder();
    const server = await nfs.serve(nfs.a, folder);
    const command = 'for i in $(seq 60); do echo line $i; echo $i > seen; sleep 0.1; done; echo $$ >> pids';
    const key = await create(
      nfs.b,
      folder,
      [1, 2].map((number) => ({ name: `j${number}`, command })),
    );
    const worker = work(nfs.b, folder, key);
    await exists(join(folder, 'seen'), worker);
    nfs.stop();
    const seen = readFileSync(nfs.onServer(join(folder, 'seen')), 'utf8');
    const waits = nfs.b.torc(folder, 'results', 'list', key);
    await vi.waitUntil(() => stateOf(server.pid) === 'D', patience);
    expect(readFileSync(nfs.onServer(join(folder, 'seen')), 'utf8')).toBe(seen);
    nfs.start();
    // the command may have given up, as the server could not answer either
    const late = await waits;
    expect([0, 5], late.stderr).toContain(late.code);
    expect((await worker).code).toBe(0);
    const ends = readFileSync(nfs.onServer(join(folder, 'pids')), 'utf8')
      .trim()
      .split('\n');
    expect(ends).toHaveLength(2);
    expect(await results(nfs.a, folder, key)).toMatchObject([{ return_code: 0 }, { return_code: 0 }]);
    expect(readServerFile(nfs.onServer(join(folder, 'dir')))?.pid).toBe(server.pid);
  });
});
