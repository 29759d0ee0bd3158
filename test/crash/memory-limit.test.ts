/**
 * The memory limit of a real cgroup, as Slurm sets one for an allocation: the worker gives out no more than that, and a
 * job that the kernel kills for it is said to have run out of memory. With version 1 or 2 of cgroups, whichever is here.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { memoryCgroup } from '../support/memory-cgroup.ts';
import { mainJs } from '../support/torc.ts';

const limitBytes = 400 * 1024 * 1024;
const cgroup = memoryCgroup(limitBytes);
afterAll(() => cgroup?.remove());

interface Result {
  job_name: string;
  return_code: number;
  cause: string;
}

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

describe.skipIf(cgroup === null)(`in a cgroup of version ${cgroup?.version}`, () => {
  it('a worker has the memory of its limit, and tells what the kernel kills from what ends by itself', async () => {
    const after = { depends_on: ['killed'], cancel_on_blocking_job_failure: false };
    const jobs = [
      { name: 'killed', command: 'kill -9 $$' },
      // it keeps what has no end of a line
      { name: 'hog', command: 'exec tail /dev/zero', ...after },
      { name: 'small', command: 'true', ...after },
    ];
    place.file('w.json', JSON.stringify({ name: 'w', jobs }));
    const words = [process.execPath, mainJs, '--dir', place.dir, 'run', 'w.json', '-o', 'out'];
    const { status } = spawnSync('sh', ['-c', `${cgroup?.enter} && exec "$@"`, 'sh', ...words], { cwd: place.path });
    expect(status).toBe(1);
    const { results } = await place.json<{ results: Result[] }>(['results', 'list', '1']);
    const causes = results.map(({ job_name, return_code, cause }) => [job_name, return_code, cause]);
    expect(causes.sort()).toEqual([
      ['hog', 137, 'oom'],
      ['killed', 137, 'signal'],
      ['small', 0, 'success'],
    ]);
    expect(await place.json(['compute-nodes', 'list', '1'])).toMatchObject({
      compute_nodes: [{ memory_bytes: limitBytes }],
    });
  });
});
