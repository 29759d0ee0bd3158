/**
 * A server that is started in a session whose end ends all of its processes: the program sees the cgroup of a session in /proc,
 * over which a mount of its own lies, and a logind in the busctl of its PATH.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const namespaces = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
const covered = ['unshare', ...namespaces, 'sh', '-c', 'mount --bind "$0" /proc/$$/cgroup && exec "$@"'] as const;
const { status } = spawnSync(covered[0], [...covered.slice(1), '/proc/version', 'true']);
if (status !== 0)
  console.warn('\n!! No mount namespaces here: the test of servers that end with a session is SKIPPED.\n');

let place: Place;
afterEach(() => place.remove());

test.skipIf(status !== 0)('starts, and says with which command it outlives the session', async () => {
  place = newPlace();
  const bin = join(place.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'busctl'), `#!/bin/sh\nprintf '%s\\n' 'b true' 'as 0' 'as 0'\n`, { mode: 0o755 });
  const cgroup = place.file('cgroup', '0::/user.slice/user-1000.slice/session-3.scope\n');
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, XDG_CONFIG_HOME: '/nowhere' };
  const words = ['--dir', place.dir, '-F', 'json', 'server', 'start', '--daemon', '--idle-minutes', '30'];
  const [program, ...before] = covered;
  const { stdout, stderr } = await promisify(execFile)(
    program,
    [...before, cgroup, process.execPath, mainJs, ...words],
    {
      env,
    },
  );
  const { pid } = JSON.parse(stdout) as { pid: number };
  expect(await place.json(['server', 'info'])).toMatchObject({ pid });
  expect((JSON.parse(stderr) as { warning: string }).warning).toMatch(
    /^logging out ends this server .* systemd-run --user --scope torc --dir '.*' server start --daemon --idle-minutes 30$/,
  );
  await place.json(['server', 'stop']);
});
