/** A command's connection to a database that nobody serves. */
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { connect, connectOnwards } from '../../src/cli/connection/connection.ts';
import { temporaryDirectory } from '../support/service.ts';

const numListening = (): number =>
  process.getActiveResourcesInfo().filter((name) => name.toLowerCase() === 'tcpserverwrap').length;

it('serves once, although a slow command and its work both ask for that: else the process would never end', async () => {
  const directory = temporaryDirectory();
  const before = numListening();
  const connection = await connect({ directory, command: 'test', creates: true });
  await Promise.all([connection.serve(), connection.serve()]);
  await connection.serve();
  expect(numListening()).toBe(before + 1);
  await connection.close();
  await expect.poll(numListening).toBe(before);
  rmSync(directory, { recursive: true, force: true });
});

it('reads on from the database when the command that served has ended, and writes nothing twice', async () => {
  const directory = temporaryDirectory();
  const place = { directory, command: 'test', creates: true };
  const serving = await connect(place);
  await serving.serve();
  const reading = await connectOnwards(place);
  const ask = { workflow_keys: null, user: null, limit: 1, state: null, wait_seconds: 0 };
  expect(await reading.api.call('status', ask)).toMatchObject({ workflows: [], is_served: true });
  await serving.close();
  const change = { workflow_key: '1', dry_run: false, expected_state: null, skip: 0 };
  await expect(reading.api.call('workflow_start', { ...change, ignore_missing_data: false })).rejects.toMatchObject({
    code: 'unreachable',
  });
  const replies = await Promise.all([1, 2, 3].map(() => reading.api.call('status', ask)));
  expect(replies.map(({ workflows }) => workflows)).toEqual([[], [], []]);
  expect(reading.kind).toBe('in_process');
  await reading.close();
  rmSync(directory, { recursive: true, force: true });
});
