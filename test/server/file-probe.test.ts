/** How the server sees a declared file must be how a worker saw it, or every restart reruns the job. */
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fileChange } from '../../src/model/decide/changes.ts';
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
    const seen = await openFileReader(directory).look(join(directory, path), false);
    const { sizeBytes, modifiedUs, changedUs } = seen as Extract<typeof seen, { kind: 'there' }>;
    const probed = await probeFiles([{ fileKey: 1, path, hashed: [] }], directory);
    expect(probed.get(1)).toEqual({ sizeBytes, modifiedUs, changedUs, contentHash: null });
  }
});

it('a file that was changed deep inside a declared directory changes the directory', async () => {
  const directory = temporaryDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'in/deep'), { recursive: true });
  writeFileSync(join(directory, 'in/deep/a'), 'one');
  const reader = openFileReader(directory);
  const seen = await reader.look(join(directory, 'in'), false);
  if (seen.kind !== 'there') throw new Error(seen.kind);
  const { sizeBytes, modifiedUs, changedUs } = seen;
  const contentHash = await reader.hash(join(directory, 'in'), seen, new AbortController().signal);
  const before = { sizeBytes, modifiedUs, changedUs, contentHash };
  const probed = async () => (await probeFiles([{ fileKey: 1, path: 'in', hashed: [before] }], directory)).get(1);
  expect(fileChange(before, (await probed()) ?? before)).toBeNull();
  // what NFS leaves of a file that was removed while somebody had it open
  writeFileSync(join(directory, 'in/deep/.nfs000000000000a1b200000001'), 'gone soon');
  expect(fileChange(before, (await probed()) ?? before)).toBeNull();
  writeFileSync(join(directory, 'in/deep/a'), 'another');
  expect(fileChange(before, (await probed()) ?? before)).toBe('has different content');
});
