/**
 * A file that the system does not let grow: SQLite gets EFBIG, which is an I/O error to it, like EDQUOT of a full
 * quota. What was confirmed stays, what cannot be written is refused, and everything continues by itself afterwards.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { readServerFile } from '../../src/api/server-file.ts';
import { newPlace } from '../cli/place.ts';
import { createWorkflow, rows } from '../support/service.ts';

const cannotBeWritten = expect.objectContaining({
  code: 'no_space',
  message: expect.stringContaining('could not be written (disk I/O error)'),
});

const patience = { timeout: 60_000, interval: 50 };

const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;
if (!hasPrlimit) console.warn('\n!! No prlimit here: the test of files that cannot grow is SKIPPED.\n');

it.skipIf(!hasPrlimit)(
  'a server whose files cannot grow refuses what it cannot store, and continues when they can',
  async () => {
    const place = newPlace();
    try {
      await place.json(['server', 'start', '--daemon']);
      const pid = readServerFile(place.dir)?.pid ?? 0;
      const mayGrowTo = (bytes: number | 'unlimited') => execFileSync('prlimit', [`--pid=${pid}`, `--fsize=${bytes}:`]);
      const client = openClient(place.dir);
      const key = await createWorkflow(client, [{ name: 'a' }], [], { start: false });
      const confirmed: string[] = [];
      let numTried = 0;
      const store = async (): Promise<void> => {
        numTried += 1;
        const name = `data ${numTried}`;
        await client.call('user_data_add', { workflow_key: key, name, data: 'x'.repeat(20_000), is_ephemeral: false });
        confirmed.push(name);
      };
      const stored = async () => (await rows(client, 'user_data', key)).map(({ name }) => name);
      for (let time = 0; time < 3; time += 1) {
        await store();
        // the log of the database grows until it is written over
        mayGrowTo(statSync(join(place.dir, 'torc.db-wal')).size + 100_000);
        const refused: unknown[] = [];
        while (refused.length < 3) await store().catch((error) => refused.push(error));
        expect(refused).toEqual(Array(3).fill(cannotBeWritten));
        expect(await stored()).toEqual(expect.arrayContaining(confirmed));
        mayGrowTo('unlimited');
        await expect
          .poll(() =>
            store().then(
              () => true,
              () => false,
            ),
          )
          .toBe(true);
      }
      expect(await stored()).toEqual(expect.arrayContaining(confirmed));
      await client.close();
      expect(readServerFile(place.dir)?.pid).toBe(pid);
      expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
    } finally {
      await place.remove();
    }
  },
);

it.skipIf(!hasPrlimit)('a run on a server whose files cannot grow is told so, and told when they can', async () => {
  const place = newPlace();
  try {
    await place.json(['server', 'start', '--daemon']);
    const pid = readServerFile(place.dir)?.pid ?? 0;
    const mayGrowTo = (bytes: number | 'unlimited') => execFileSync('prlimit', [`--pid=${pid}`, `--fsize=${bytes}:`]);
    const key = await place.create('touch runs; while [ ! -e go ]; do sleep 0.05; done', 'true');
    await place.torc('workflows', 'start', key);
    const run = place.start('jobs', 'run', key, '-m', '1');
    let told = '';
    run.child.stderr?.on('data', (piece) => {
      told += piece;
    });
    await expect.poll(() => existsSync(join(place.path, 'runs')), patience).toBe(true);
    mayGrowTo(4096);
    place.file('go', '');
    await expect.poll(() => told, patience).toMatch(/^warning: .*could not be written .*; running jobs go on/m);
    mayGrowTo('unlimited');
    expect(await run.ended).toMatchObject({ code: 0, stderr: expect.stringContaining('can be written again') });
    expect(told.match(/running jobs go on/g)).toHaveLength(1);
  } finally {
    await place.remove();
  }
});
