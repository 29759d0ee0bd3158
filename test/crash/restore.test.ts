/** A backup restored while a worker is running: nothing counts twice, and the workflow finishes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { newPlace } from '../cli/place.ts';
import { rows } from '../support/service.ts';

it('a worker continues with a restored database', { timeout: 240_000 }, async () => {
  const place = newPlace();
  try {
    const log = join(place.path, 'ended');
    writeFileSync(log, '');
    const numJobs = 30;
    await place.json(['server', 'start', '--daemon']);
    // a third before the backup, a third after it and before the end of the server, a third after that
    const waits = ['', 'until [ -e saved ]; do sleep 0.1; done; ', 'until [ -e restored ]; do sleep 0.1; done; '];
    const jobs = Array.from({ length: numJobs }, (_, at) => `${waits[Math.floor(at / 10)]}sleep 0.2; echo x >> ended`);
    const key = await place.create(...jobs);
    await place.json(['workflows', 'start', key]);
    // only a worker, as in an allocation: `jobs run` would replace the stopped server
    const worker = place.start('-F', 'json', 'jobs', 'run', key, '--worker', '-m', '3', '--cpus', '3', '-o', 'out');
    const numEnded = () => readFileSync(log, 'utf8').split('\n').length - 1;
    await expect.poll(numEnded).toBeGreaterThan(2);
    await place.json(['server', 'backup', 'b.db']);
    place.file('saved', '');
    await expect.poll(numEnded).toBeGreaterThan(13);
    await place.json(['server', 'stop']);
    await place.json(['server', 'restore', 'b.db']);
    await place.json(['server', 'start', '--daemon']);
    place.file('restored', '');

    const client = openClient(place.dir);
    const names = async (list: 'jobs' | 'results', filters: Record<string, string>) =>
      (await rows(client, list, key, filters)).map((row) => String(row.job_name ?? row.name));
    // also those that were running at the backup: nobody knows how they ended, so they come back
    const isDone = async () => (await rows(client, 'jobs', key)).every((job) => job.status === 'done');
    await expect.poll(isDone).toBe(true);
    expect((await worker.ended).code).toBe(0);

    const ended = await names('results', { status: 'done' });
    expect(ended.toSorted()).toEqual((await names('jobs', { status: 'done' })).toSorted());
    expect(new Set(ended).size).toBe(numJobs);
    expect(ended).toHaveLength(numJobs);
    await client.close();
    expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
  } finally {
    await place.remove();
  }
});
