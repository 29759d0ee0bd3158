/** Whether the server that a command starts ends when the person logs out, because logind ends all processes of a session. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shellWord } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';

const manager = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'];
const properties = ['KillUserProcesses', 'KillOnlyUsers', 'KillExcludeUsers'];

/** Says it, with the options that the server has. Tests set `root`, which replaces `/`. */
export async function warnOfSessionEnd(
  context: Context,
  words: readonly string[],
  { root = '/', waitMs = 5000 } = {},
): Promise<void> {
  if (!isInSession(root) || !(await endsProcesses(context, waitMs))) return;
  const start = [`${context.torc} server start --daemon`, ...words.map(shellWord)].join(' ');
  note(
    context,
    `warning: logging out ends this server (KillUserProcesses of logind). To keep it: ` +
      `${context.torc} server stop; loginctl enable-linger && systemd-run --user --scope ${start}`,
    'warning',
  );
}

/** What systemd-run and cron of some systems start is in no session. */
function isInSession(root: string): boolean {
  try {
    return /\/session-[^/\n]+\.scope(\/|$)/m.test(readFileSync(join(root, 'proc/self/cgroup'), 'utf8'));
  } catch {
    return false;
  }
}

/** False also where nothing answers. */
async function endsProcesses({ env, user }: Context, waitMs: number): Promise<boolean> {
  const answer = await new Promise<string>((resolve) => {
    const options = { env, timeout: waitMs, killSignal: 'SIGKILL' } as const;
    execFile('busctl', ['get-property', ...manager, ...properties], options, (error, stdout) => {
      resolve(error === null ? stdout : '');
    });
  });
  // b true, then lists: as 1 "root"
  const [all = '', only = '', exclude = ''] = answer.split('\n');
  const isNamed = (list: string) => list.includes(JSON.stringify(user));
  if (isNamed(exclude)) return false;
  return only.includes('"') ? isNamed(only) : all === 'b true';
}
