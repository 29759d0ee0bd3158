/** What makes the way to a folder safe, and how folders are made. Others are other users; nobody else acts here. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolders } from '../../src/base/trusted/folders.ts';
import { unsafeFolder, unsafeParent } from '../../src/base/trusted/parents.ts';
import { newFile, writeNewFile } from '../../src/base/trusted/shared.ts';

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'torc-trusted-'));
  chmodSync(scratch, 0o755);
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** Makes `a/b/c` below the scratch folder; `modes` are those of `a`, `a/b` and so on. */
function folder(...modes: number[]): string {
  let path = scratch;
  for (const [index, mode] of modes.entries()) {
    path = join(path, 'abc'[index] ?? '');
    mkdirSync(path);
    chmodSync(path, mode);
  }
  return path;
}

describe('the way to a folder', () => {
  it('is safe when only its owner and root can write to the parents', () => {
    expect(unsafeParent(folder(0o755, 0o750))).toBeNull();
    expect(unsafeParent(join(scratch, 'not', 'there', 'yet'))).toBeNull();
  });

  it('is not safe when others can write to a parent', () => {
    expect(unsafeParent(folder(0o777, 0o755, 0o700))).toBe(`other users can write to ${scratch}/a (mode 0777)`);
  });

  it('counts the folder itself only when asked', () => {
    const path = folder(0o777);
    expect(unsafeParent(path)).toBeNull();
    expect(unsafeFolder(path)).toContain('(mode 0777)');
  });

  it('is safe below a sticky folder, and below one that nobody else can enter', () => {
    expect(unsafeParent(folder(0o1777, 0o755))).toBeNull();
    rmSync(join(scratch, 'a'), { recursive: true });
    expect(unsafeParent(folder(0o700, 0o777, 0o755))).toBeNull();
  });

  it('is followed through links', () => {
    const open = folder(0o777, 0o755);
    symlinkSync(open, join(scratch, 'link'));
    expect(unsafeParent(join(scratch, 'link', 'x'))).toContain(`${scratch}/a (mode 0777)`);
    expect(unsafeParent(join(scratch, 'link'))).toContain(`${scratch}/a (mode 0777)`);
    symlinkSync(join(scratch, 'b'), join(scratch, 'b'));
    expect(() => unsafeParent(join(scratch, 'b', 'x'))).toThrow('ELOOP');
  });

  it.skipIf(process.getuid?.() !== 0)('is not safe through a folder or a link of somebody else', () => {
    const path = folder(0o755, 0o755);
    chownSync(join(scratch, 'a'), 1234, 1234);
    expect(unsafeParent(path)).toBe(`${scratch}/a belongs to another user (uid 1234)`);
    // root, in the folder of another user, trusts that user
    chownSync(path, 1234, 1234);
    expect(unsafeParent(path)).toBeNull();
  });

  it.skipIf(process.getuid?.() !== 0)('is not safe where a group can write that is not the own one of the user', () => {
    const path = folder(0o775, 0o755);
    chownSync(join(scratch, 'a'), 0, 1234);
    expect(unsafeParent(path)).toBe(`other users can write to ${scratch}/a (mode 0775)`);
  });
});

describe('a file that a person named', () => {
  it('does not follow a link that has its name, and leaves nothing beside it', () => {
    writeFileSync(join(scratch, 'target'), 'precious');
    symlinkSync('target', join(scratch, 'out'));
    writeNewFile(join(scratch, 'out'), 'new');
    expect(readFileSync(join(scratch, 'target'), 'utf8')).toBe('precious');
    expect(readFileSync(join(scratch, 'out'), 'utf8')).toBe('new');
    expect(readdirSync(scratch).sort()).toEqual(['out', 'target']);
  });

  it('is written under another name each time, until it is complete', () => {
    const files = [newFile(join(scratch, 'a')), newFile(join(scratch, 'a'))];
    const names = readdirSync(scratch);
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^a\.[0-9a-f]{16}$/);
    for (const file of files) file.discard();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('may be no regular file', () => {
    writeNewFile('/dev/null', 'x');
    expect(statSync('/dev/null').isFile()).toBe(false);
  });
});

it('a folder below /proc is refused at once', () => {
  expect(() => makeFolders('/proc/torc/x')).toThrow('ENOENT');
});
