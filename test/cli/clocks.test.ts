/** A worker on a node whose clock is minutes off loses nothing, and the instants of its jobs are those of the server. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eachTestWithSlurm, type Place } from './place.ts';

let place: Place;
eachTestWithSlurm({ run: true }, (both) => {
  ({ place } = both);
});

const shiftedClock = fileURLToPath(new URL('../support/shifted-clock.mjs', import.meta.url));

interface Instants {
  start_time: string;
  end_time: string;
  exec_time_seconds: number;
}

interface Node {
  started_at: string;
  last_heartbeat_at: string;
}

test.each([
  ['ahead', 600],
  ['behind', -600],
])('ten minutes %s', async (_, shiftSeconds) => {
  const env = {
    NODE_OPTIONS: `--import=${shiftedClock}`,
    TEST_CLOCK_SHIFT_MS: String(shiftSeconds * 1000),
  };
  const { pid } = await place.json<{ pid: number }>(['server', 'start', '--daemon']);
  const began = Date.now();
  // the last one ends while no server is there
  const key = await place.create('true', 'sleep 1', 'touch runs; until [ -e go ]; do sleep 0.1; done; touch ended');
  await place.torc('workflows', 'start', key);
  // as long as the clock is off: by the node's own clock it would have no time at all, or twice as much
  await place.torc('-k', key, 'hpc', 'slurm', 'add-config', '-a', 'account', '-w', '10');
  const scheduled = await place.torcWith(env, '-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '1');
  expect(scheduled).toMatchObject({ code: 0 });
  await expect.poll(() => existsSync(join(place.path, 'runs')), { timeout: 90_000 }).toBe(true);
  process.kill(pid, 'SIGKILL');
  writeFileSync(join(place.path, 'go'), '');
  await expect.poll(() => existsSync(join(place.path, 'ended')), { timeout: 90_000 }).toBe(true);
  await place.torc('server', 'start', '--daemon');
  expect((await place.torc('wait', key)).code).toBe(0);
  const ended = Date.now();

  const { results } = await place.json<{ results: Instants[] }>(['results', 'list', '-k', key]);
  expect(results).toHaveLength(3);
  for (const { start_time, end_time, exec_time_seconds } of results) {
    const [start, end] = [Date.parse(start_time), Date.parse(end_time)];
    expect(start).toBeGreaterThanOrEqual(began);
    expect(end).toBeGreaterThanOrEqual(start);
    expect(end).toBeLessThanOrEqual(ended);
    expect(exec_time_seconds * 1000).toBeLessThanOrEqual(ended - began);
  }
  const { compute_nodes } = await place.json<{ compute_nodes: Node[] }>(['compute-nodes', 'list', '-k', key]);
  expect(compute_nodes).toHaveLength(1);
  for (const at of compute_nodes.flatMap((node) => [node.started_at, node.last_heartbeat_at])) {
    expect(Date.parse(at)).toBeGreaterThanOrEqual(began);
    expect(Date.parse(at)).toBeLessThanOrEqual(ended);
  }
});
