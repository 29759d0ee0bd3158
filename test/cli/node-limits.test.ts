/** What a person's limits mean for a run: `ulimit` before `torc run`, as an ordinary user. */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Ended, mainJs } from '../support/torc.ts';

const isRoot = process.getuid?.() === 0;
/** A user that has no other process on this host. */
const userId = 20_000 + (process.pid % 20_000);

/** Runs `torc run` of jobs with these commands in a shell that has set the limit. */
function runUnder(limit: string, commands: string[], uid: number | null): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'torc-limits-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(folder, 'jobs.txt'), `${commands.join('\n')}\n`);
  if (uid !== null) chownSync(folder, uid, uid);
  chmodSync(folder, 0o755);
  const line = `${limit} && '${process.execPath}' '${mainJs}' --dir T run jobs.txt --cpus 100 --memory 100g; exit $?`;
  const child = spawn('bash', ['-c', line], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder },
    ...(uid === null ? {} : { uid, gid: uid }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
}

it.skipIf(!isRoot)('runs all jobs where only some of them may have a process at a time', async () => {
  const ended = await runUnder('ulimit -u 60', new Array(80).fill('sleep 1'), userId);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).toContain('done:    80\n');
  expect(ended.stderr.match(/warning: the node has no more processes/g)).toHaveLength(1);
});

it('runs all jobs where few files may be open', async () => {
  const ended = await runUnder('ulimit -n 256', new Array(100).fill('sleep 1'), null);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).toContain('done:    100\n');
});

it('lets jobs have as many files open as the shell, not as many as node', async () => {
  const ended = await runUnder('ulimit -Sn 300', ['test "$(ulimit -Sn)" = 300; exit'], null);
  expect(ended).toMatchObject({ code: 0 });
});
