/** Whether the person's quota is used up, where the file system's own commands say so. */
import { currentUser, environment } from '../../base/config.ts';
import { runCommand } from '../../slurm/run.ts';
import type { Context } from '../context/context.ts';
import { type Finding, mountOf, nearestFolder, ok, warning } from './doctor-findings.ts';

const seconds = 8;
const advice = 'Remove what you do not need, or choose another directory with --dir and -o.';

export async function checkQuota({ directory }: Context): Promise<Finding> {
  const mount = mountOf(nearestFolder(directory));
  const isLustre = mount?.type === 'lustre';
  const [command, words] = isLustre ? ['lfs', ['quota', '-q', '-u', currentUser(), mount.point]] : ['quota', ['-q']];
  const variables = Object.fromEntries(
    Object.entries(environment()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const result = await runCommand(command as string, words as string[], { variables, seconds, workingDirectory: null });
  if (result.kind === 'missing') return ok(`not known: there is no command ${command}`);
  if (result.kind === 'timeout') return warning(`${command} did not answer in ${seconds} s`, 'Try again later.');
  // lfs marks what is over with *, quota -q names only file systems whose quota is used up
  const isOver = isLustre ? result.stdout.includes('*') : result.stdout.trim() !== '';
  if (isOver) return warning(result.stdout.trim().replaceAll(/\s+/g, ' ').slice(0, 300), advice);
  return ok(result.exitCode === 0 ? 'not used up' : `not known: ${result.stderr.trim().split('\n')[0] || command}`);
}
