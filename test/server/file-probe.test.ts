/** How the server sees a declared file must be how a worker saw it, or every restart reruns the job. */
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { probeFiles } from '../../src/server/plans/file-probe.ts';
import { openFileReader } from '../../src/worker/files/file-reader.ts';
import { temporaryDirectory } from '../support/service.ts';

it.each([
  ['a file', 1_700_000_000],
  ['a file from before 1970', -5],
  ['a file of a time beyond exact microseconds', 12_000_000_000],
])('%s looks the same to the server and to a worker', async (_, seconds) => {
  const directory = temporaryDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, '-the file\n'), 'text');
  utimesSync(join(directory, '-the file\n'), seconds, seconds);
  symlinkSync('-the file\n', join(directory, 'link'));
  mkdirSync(join(directory, 'folder'));
  utimesSync(join(directory, 'folder'), seconds, seconds);
  for (const path of ['-the file\n', 'link', 'folder']) {
    const seen = await openFileReader().look(join(directory, path), false);
    const { sizeBytes, modifiedUs, changedUs } = seen as Extract<typeof seen, { kind: 'there' }>;
    const probed = await probeFiles([{ fileKey: 1, path, hashed: [] }], directory);
    expect(probed.get(1)).toEqual({ sizeBytes, modifiedUs, changedUs, contentHash: null });
  }
});
