/**
 * A real quota that is used up in the middle. What was confirmed stays, torc names the quota and the directory, and
 * everything continues by itself when there is room again.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { readServerFile } from '../../src/api/server-file.ts';
import { systemCode } from '../../src/base/errors.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { quotaDirectory } from '../support/quota.ts';
import { createWorkflow, rows } from '../support/service.ts';

const quota = quotaDirectory();
afterAll(() => quota?.remove());

let place: Place;
beforeEach(() => {
  place = newPlace({}, quota?.path);
});
afterEach(async () => {
  quota?.allow(null);
  await place.remove();
});

/** Uses the quota up: what is written from now on is refused. */
function useUp(): void {
  quota?.allow(8 * 1024 * 1024);
  try {
    for (;;) writeFileSync(join(place.path, 'filler'), Buffer.alloc(64 * 1024, 'x'), { flag: 'as' });
  } catch (error) {
    expect(error).toSatisfy((thrown) => systemCode(thrown) === 'EDQUOT');
  }
}

describe.skipIf(quota === null)('a quota that is used up', () => {
  it('makes the server refuse what it cannot store, with the reason, until there is room', async () => {
    await place.json(['server', 'start', '--daemon']);
    const pid = readServerFile(place.dir)?.pid;
    const client = openClient(place.dir);
    const key = await createWorkflow(client, [{ name: 'a' }], [], { start: false });
    const confirmed: string[] = [];
    let numTried = 0;
    const store = async (): Promise<void> => {
      numTried += 1;
      const name = `data ${numTried}`;
      await client.call('user_data_add', { workflow_key: key, name, data: 'x'.repeat(200_000), is_ephemeral: false });
      confirmed.push(name);
    };
    const stored = async () => (await rows(client, 'user_data', key)).map(({ name }) => name);
    await store();
    useUp();
    const refused: unknown[] = [];
    while (refused.length < 3) await store().catch((error) => refused.push(error));
    expect(refused[0]).toMatchObject({
      code: 'no_space',
      message: expect.stringContaining(`your quota on the file system of ${place.dir} is used up (EDQUOT)`),
      hint: expect.stringContaining('larger quota'),
    });
    expect(await stored()).toEqual(expect.arrayContaining(confirmed));
    const problem = `your quota on the file system of ${place.dir} is used up (EDQUOT)`;
    const page = await place.torc('status', key);
    expect(page.stdout).toMatch(/^the server has not been able to write since \d\d:\d\d:\d\d \(\d+[sm] ago\): /m);
    expect(page.stdout).toContain(problem);
    expect(page.stdout).toMatch(/^ {2}running jobs go on, and their results wait; what to do: torc .*doctor$/m);
    expect((await place.torc('status')).stderr).toMatch(/^the server has not been able to write since .*doctor$/m);
    quota?.allow(null);
    await expect
      .poll(() =>
        store().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    expect(await stored()).toEqual(expect.arrayContaining(confirmed));
    expect((await place.torc('status', key)).stdout).not.toContain('able to write');
    await client.close();
    expect(readServerFile(place.dir)?.pid).toBe(pid);
    expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
  });

  it('is named by what a job failed with, whose own words cannot be written; then it runs again', async () => {
    const outside = newPlace();
    try {
      const job = { name: 'writer', command: 'head -c 20000000 /dev/zero' };
      outside.file('w.json', JSON.stringify({ name: 'w', jobs: [job] }));
      quota?.allow(8 * 1024 * 1024);
      const run = await outside.torc('run', 'w.json', '-o', join(place.path, 'out'));
      const problem = `your quota on the file system of ${join(place.path, 'out')} is used up (EDQUOT)`;
      expect(run).toMatchObject({ code: 1, stdout: expect.stringContaining(problem) });
      const { results } = await outside.json<{ results: object[] }>(['results', 'list', '1']);
      expect(results).toMatchObject([{ cause: 'exit_code', return_code: 1, detail: `at its end ${problem}` }]);
      // not even a log can be made
      const refused = await outside.torc('run', 'w.json', '-o', join(place.path, 'other'));
      expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('is used up (EDQUOT)') });
      quota?.allow(null);
      expect(await outside.torc('rerun-failed', '1', '--run', '-n')).toMatchObject({ code: 0 });
    } finally {
      await outside.remove();
    }
  });
});
