/** A directory of outputs belongs to one server directory, also for a torc that a job calls. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mainJs, torc } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const inOther = (...args: string[]) => torc(['--dir', join(place.path, 'other'), ...args], { cwd: place.path });
const outputs = () => readdirSync(place.path).filter((name) => name.startsWith('torc_output'));

it('two server directories in one working directory keep their outputs apart', async () => {
  const commands = place.file('c.txt', 'echo first\n');
  expect((await place.torc('run', commands)).code).toBe(0);
  expect((await inOther('run', place.file('d.txt', 'echo second\n'))).code).toBe(0);
  expect(outputs()).toHaveLength(2);
  expect((await place.torc('jobs', 'logs', '1', '--stdout')).stdout).toBe('first\n');
  expect((await inOther('jobs', 'logs', '1', '--stdout')).stdout).toBe('second\n');
  const refused = await inOther('run', commands, '-o', 'torc_output');
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining(`belongs to the server directory ${place.dir}`),
  ]);
  // of a server directory that is gone nobody reads the outputs
  rmSync(place.dir, { recursive: true });
  expect((await inOther('run', commands, '-o', 'torc_output')).code).toBe(0);
});

it('a torc that a job calls has outputs of its own, and the workflow of the job only in its server directory', async () => {
  const call = `'${process.execPath}' '${mainJs}'`;
  place.file('inner.txt', 'echo inner\n');
  const inner = `${call} --dir other run inner.txt && ${call} --dir other workflows show > shown && TORC_DIR=$PWD/other ${call} workflows show >> shown && ${call} workflows show >> shown; echo outer`;
  const commands = place.file('c.txt', `true\n${inner}\n`);
  await place.torc('run', place.file('first.txt', 'true\n'));
  expect((await place.torc('run', commands, '-m', '1', '-o', 'out')).code).toBe(0);
  expect((await place.torc('jobs', 'logs', '3', '--stdout')).stdout).toContain('outer\n');
  expect((await inOther('jobs', 'logs', '1', '--stdout')).stdout).toBe('inner\n');
  expect(existsSync(join(place.path, 'out', 'job_stdio', '0000', 'job_1_run_1_attempt_1.out'))).toBe(false);
  const shown = readFileSync(join(place.path, 'shown'), 'utf8');
  expect([...shown.matchAll(/workflow_key: +(\d+)/g)].map(([, key]) => key)).toEqual(['1', '1', '2']);
});
