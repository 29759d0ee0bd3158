/** A command's connection to a database that nobody serves. */
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { connect } from '../../src/cli/connection/connection.ts';
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
