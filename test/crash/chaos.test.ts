/**
 * A short chaos run: real processes, faults from a fixed seed. `npm run chaos` does it for longer and with any seed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';

const chaos = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'chaos', 'main.mjs');
let child: ChildProcess;

// it ends every process that it started
afterEach(async () => {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
});

it('a chaos run of a few seconds loses nothing and runs nothing twice', async () => {
  const faults = 'server_kill,server_term,server_rival,worker_kill,worker_term,job_kill,net_refuse,net_reset,net_delay';
  const words = ['--seconds', '6', '--seed', '106', '--jobs', '100', '--faults', faults];
  child = spawn(process.execPath, [chaos, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const printed = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    printed.stderr += text;
  });
  const [code] = await once(child, 'close');
  expect(code, printed.stderr).toBe(0);
  expect(JSON.parse(printed.stdout)).toMatchObject({ lost: 0, duplicated: 0, stuck: 0, broken: 0 });
});
