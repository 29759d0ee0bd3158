/** The line of a crontab in docs/networks.md, which keeps a server running. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const document = join(import.meta.dirname, '..', '..', 'docs', 'networks.md');
const command = /^ *\*\/10( \*){4} (?<command>.*)$/m.exec(readFileSync(document, 'utf8'))?.groups?.command ?? '';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

/** As cron runs it, which has read none of a person's files. */
async function runByCron(home: string): Promise<number> {
  const env = { HOME: home, LOGNAME: 'user', SHELL: '/bin/sh', PATH: '/usr/bin:/bin' };
  const run = promisify(execFile)('/bin/sh', ['-c', command], { cwd: home, env });
  return await run.then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

test('starts a server with the environment of the profile, leaves one that answers, and replaces one that is gone', async () => {
  const home = join(place.path, 'home');
  const bin = join(home, 'own', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'torc'), `#!/bin/sh\nexec '${process.execPath}' '${mainJs}' "$@"\n`, { mode: 0o755 });
  const quoted = place.dir.replaceAll("'", "'\\''");
  writeFileSync(join(home, '.profile'), `PATH=$HOME/own/bin:$PATH\nexport TORC_DIR='${quoted}'\n`);

  expect(await runByCron(home)).toBe(0);
  const { pid } = await place.json<{ pid: number }>(['server', 'info']);
  expect(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')).toContainEqual(
    expect.stringMatching(`^PATH=${bin}:`),
  );

  expect(await runByCron(home)).toBe(4);
  expect(await place.json(['server', 'info'])).toMatchObject({ pid });

  process.kill(pid, 'SIGKILL');
  await expect.poll(() => place.torc('server', 'info'), { timeout: 60_000 }).toMatchObject({ code: 5 });
  expect(await runByCron(home)).toBe(0);
  expect((await place.json<{ pid: number }>(['server', 'info'])).pid).not.toBe(pid);
  await place.json(['server', 'stop']);
});
