/** Whether the person's quota is used up, where the file system's own commands say so. */
import { execFile } from 'node:child_process';
import { currentUser } from '../../base/config.ts';
import type { Context } from '../context/context.ts';
import { isOnPath } from '../input/programs.ts';
import { type Finding, mountOf, nearestFolder, ok, warning } from './doctor-findings.ts';

const seconds = 8;
const advice = 'Remove what you do not need, or choose another directory with --dir and -o.';

export async function checkQuota({ directory, env }: Context): Promise<Finding> {
  const mount = mountOf(nearestFolder(directory));
  const isLustre = mount?.type === 'lustre';
  const command = isLustre ? 'lfs' : 'quota';
  const words = isLustre ? ['quota', '-q', '-u', currentUser(), mount.point] : ['-q'];
  if (!isOnPath(command, env.PATH ?? '')) return ok(`not known: there is no command ${command}`);
  const { stdout, stderr, error } = await run(command, words, env);
  if (error?.killed === true) return warning(`${command} did not answer in ${seconds} s`, 'Try again later.');
  // lfs marks what is over with *, quota -q names only file systems whose quota is used up
  const isOver = isLustre ? stdout.includes('*') : stdout.trim() !== '';
  if (isOver) return warning(stdout.trim().replaceAll(/\s+/g, ' ').slice(0, 300), advice);
  return ok(error === null ? 'not used up' : `not known: ${stderr.trim().split('\n')[0] || command}`);
}

interface Answer {
  stdout: string;
  stderr: string;
  error: (Error & { killed?: boolean }) | null;
}

function run(command: string, words: readonly string[], env: Context['env']): Promise<Answer> {
  const options = { env, timeout: seconds * 1000, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(command, words, options, (error, stdout, stderr) => resolve({ stdout, stderr, error }));
  });
}
