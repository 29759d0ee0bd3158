/** The warning that a logout ends the server: what /proc and logind say, and what is said of it. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { currentUser } from '../../src/base/config.ts';
import { warnOfSessionEnd } from '../../src/cli/connection/session-end.ts';
import { fakeContext, fakeTerminal } from './cli-fakes.ts';

const session = '0::/user.slice/user-1000.slice/session-12.scope';
const query =
  'get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager KillUserProcesses KillOnlyUsers KillExcludeUsers';

let place: string;
let limit: { waitMs?: number };
beforeEach(() => {
  limit = {};
  place = mkdtempSync(join(tmpdir(), 'torc session '));
  mkdirSync(join(place, 'proc/self'), { recursive: true });
  mkdirSync(join(place, 'bin'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

function busctl(text: string): void {
  writeFileSync(join(place, 'bin', 'busctl'), `#!/bin/sh\n${text}\n`);
  chmodSync(join(place, 'bin', 'busctl'), 0o755);
}

/** Logind as busctl shows it; its lists of users as they are there. */
const logind = (kills: boolean, only = '0', exclude = '1 "of nobody"') =>
  busctl(`[ "$*" = '${query}' ] && printf '%s\\n' 'b ${kills}' 'as ${only}' 'as ${exclude}'`);

async function said(cgroup: string | null, ...words: string[]): Promise<string> {
  if (cgroup !== null) writeFileSync(join(place, 'proc/self/cgroup'), `${cgroup}\n`);
  const terminal = fakeTerminal();
  const env = { XDG_CONFIG_HOME: place, PATH: join(place, 'bin') };
  await warnOfSessionEnd(fakeContext(terminal, { dir: '/its directory' }, env), words, { root: place, ...limit });
  return terminal.stderr.join('');
}

it('one line has the command that keeps the server, with its options', async () => {
  logind(true);
  expect(await said(session, '--advertise', 'a b', '--relay', 'slurm')).toBe(
    "warning: logging out ends this server (KillUserProcesses of logind). To keep it: torc --dir '/its directory' server stop; " +
      "loginctl enable-linger && systemd-run --user --scope torc --dir '/its directory' server start --daemon --advertise 'a b' --relay slurm\n",
  );
});

describe('it depends on where the process is', () => {
  it.each([
    [
      '12:pids:/user.slice/user-1000.slice/session-3.scope\n1:name=systemd:/user.slice/user-1000.slice/session-3.scope',
      1,
    ],
    ['0::/user.slice/user-1000.slice/session-c2.scope/a', 1],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-r1.scope', 0],
    ['0::/system.slice/cron.service', 0],
    ['0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0', 0],
    ['0::/', 0],
    [null, 0],
  ])('%s', async (cgroup, lines) => {
    logind(true);
    expect((await said(cgroup)).split('\n').length - 1).toBe(lines);
  });
});

describe('it depends on logind', () => {
  const self = `2 "somebody" "${currentUser()}"`;
  it.each([
    [true, '0', '1 "root of another"', true],
    [false, '0', '0', false],
    [true, '0', self, false],
    [false, self, '0', true],
    [true, '1 "somebody"', '0', false],
    [true, self, self, false],
  ])('KillUserProcesses %s, KillOnlyUsers %s, KillExcludeUsers %s', async (kills, only, exclude, isSaid) => {
    logind(kills, only, exclude);
    expect((await said(session)) !== '').toBe(isSaid);
  });

  it('nothing is said where it cannot be asked', async () => {
    expect(await said(session)).toBe('');
    busctl('echo "Failed to get property" >&2; exit 1');
    expect(await said(session)).toBe('');
    limit = { waitMs: 300 };
    busctl('echo "b true"; exec /bin/sleep 1000');
    expect(await said(session)).toBe('');
  });
});
