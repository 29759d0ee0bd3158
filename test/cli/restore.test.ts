/** `torc server restore`: a plan, refusals, and a kill at each change of a file. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
const database = (): string => join(place.dir, 'torc.db');
const kept = (): string[] =>
  existsSync(join(place.dir, 'backups')) ? readdirSync(join(place.dir, 'backups')).toSorted() : [];

interface Restored {
  dry_run: boolean;
  backup: Record<string, unknown>;
  replaced: ({ kept_path: string } & Record<string, unknown>) | null;
}

beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

async function names(): Promise<string[]> {
  const { workflows } = await place.json<{ workflows: { workflow_key: string; num_jobs: number }[] }>([
    'workflows',
    'list',
  ]);
  return workflows.map(({ workflow_key, num_jobs }) => `${workflow_key}:${num_jobs}`);
}

/** A backup with one workflow, and a database with two. */
async function backupAndMore(): Promise<void> {
  await place.create('true', 'true');
  await place.json(['server', 'backup', 'b.db']);
  await place.create('true');
}

describe('a restore', () => {
  it('does what its dry run says, keeps what it replaces, and goes back and forth', async () => {
    await backupAndMore();
    const bytes = readFileSync(database());
    const planned = await place.json<Restored>(['server', 'restore', 'b.db', '--dry-run']);
    expect(readFileSync(database()).equals(bytes)).toBe(true);
    expect(kept()).toEqual([]);
    const restored = await place.json<Restored>(['server', 'restore', 'b.db']);
    expect({ ...restored, dry_run: true, replaced: { ...restored.replaced, kept_path: '' } }).toEqual({
      ...planned,
      replaced: { ...planned.replaced, kept_path: '' },
    });
    const version = expect.any(Number);
    expect(restored).toEqual({
      dry_run: false,
      directory: place.dir,
      backup: {
        path: join(place.path, 'b.db'),
        schema_version: version,
        num_workflows: 1,
        num_jobs: 2,
        copied_at: expect.stringMatching(/Z$/),
        is_older: false,
      },
      replaced: {
        schema_version: version,
        num_workflows: 2,
        num_jobs: 3,
        is_same_database: true,
        kept_path: join(place.dir, 'backups', kept()[0] ?? ''),
      },
    });
    expect(await names()).toEqual(['1:2']);
    // no key of what was replaced is given out again
    expect(Number(await place.create('true'))).toBeGreaterThan(2);
    const back = await place.torc('server', 'restore', restored.replaced?.kept_path ?? '');
    expect(back.stdout).toMatch(/^backup: +.*replaced_.* \(schema version \d+, 2 workflows, 3 jobs\)\nreplaces: /);
    expect(await names()).toEqual(['1:2', '2:1']);
    expect(kept()).toHaveLength(2);
    expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
    expect(statSync(database()).mode & 0o777).toBe(0o600);
  });

  it('into a directory that does not exist makes it, and a dry run does not', async () => {
    await backupAndMore();
    const words = ['--dir', join(place.path, 'other'), '-F', 'json', 'server', 'restore', 'b.db'];
    const planned = await place.torc(...words, '--dry-run');
    expect(JSON.parse(planned.stdout)).toMatchObject({ dry_run: true, replaced: null });
    expect(existsSync(join(place.path, 'other'))).toBe(false);
    expect((await place.torc(...words)).code).toBe(0);
    expect(statSync(join(place.path, 'other')).mode & 0o777).toBe(0o700);
    const listed = await place.torc('--dir', join(place.path, 'other'), '-F', 'json', 'workflows', 'list');
    expect(JSON.parse(listed.stdout).workflows).toHaveLength(1);
  });

  it('replaces a database that cannot be read, with its log', async () => {
    await backupAndMore();
    writeFileSync(database(), 'no database '.repeat(1000));
    writeFileSync(`${database()}-wal`, 'no log '.repeat(1000));
    const restored = await place.json<Restored>(['server', 'restore', 'b.db']);
    expect(restored.replaced).toMatchObject({ num_workflows: null, is_same_database: false });
    expect(kept().map((name) => name.replace(/^.*\.db/, ''))).toEqual(['', '-wal']);
    expect(readFileSync(restored.replaced?.kept_path ?? '', 'utf8')).toContain('no database');
    expect(await names()).toEqual(['1:2']);
  });

  it('is refused while a server runs, and for a file that is no backup of a torc that is known', async () => {
    await backupAndMore();
    await place.json(['server', 'start', '--daemon']);
    for (const words of [[], ['--dry-run']]) {
      expect(await place.torc('server', 'restore', 'b.db', ...words)).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/^error: a server is running on .*\nhint: .* server stop\n$/),
      });
    }
    await place.torc('server', 'stop');
    const before = await names();
    const changed = (name: string, change: (db: Sqlite.Database) => void): string => {
      copyFileSync(join(place.path, 'b.db'), join(place.path, name));
      const db = new Sqlite(join(place.path, name));
      change(db);
      db.close();
      return name;
    };
    const text = place.file('text.db', 'no database '.repeat(1000));
    const newer = changed('newer.db', (db) => db.pragma('user_version = 998'));
    const other = join(place.path, 'other.db');
    const db = new Sqlite(other);
    db.exec('CREATE TABLE t (x)');
    db.close();
    const damaged = join(place.path, 'damaged.db');
    const bytes = readFileSync(join(place.path, 'b.db'));
    const half = Math.floor(bytes.length / 8192) * 4096;
    writeFileSync(damaged, bytes.fill(0xa5, half, half + 4096));
    symlinkSync('loop.db', join(place.path, 'loop.db'));
    for (const [file, code, words] of [
      ['nothing.db', 3, 'there is no file'],
      ['text.db/inside', 2, 'text.db/inside (ENOTDIR)'],
      ['loop.db', 2, 'loop.db (ELOOP)'],
      ['.', 2, 'is not a file'],
      [database(), 2, 'is the database itself'],
      [text, 5, 'is not a sound copy of a torc database'],
      [other, 5, 'is not a sound copy of a torc database'],
      [damaged, 5, 'is not a sound copy of a torc database'],
      [newer, 5, 'has schema version 998; this torc supports versions up to'],
    ] as const) {
      const ended = await place.torc('server', 'restore', file);
      expect({ code: ended.code, stdout: ended.stdout }, file).toEqual({ code, stdout: '' });
      expect(ended.stderr).toContain(words);
    }
    expect(await place.torc('--dir', text, 'server', 'restore', 'b.db')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining(`cannot use the server directory ${text} (ENOTDIR)`),
    });
    expect(await place.torc('server', 'backup', 'text.db/inside')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('text.db/inside (ENOTDIR)'),
    });
    expect(await names()).toEqual(before);
    expect(kept()).toEqual([]);
    expect(readdirSync(place.dir).filter((name) => name.startsWith('torc.db.'))).toEqual([]);
  });

  it('is refused while torc run serves, which torc server stop does not end', async () => {
    await backupAndMore();
    const spec = { name: 'w', jobs: [{ name: 'a', command: 'touch begun; until [ -e go ]; do sleep 0.1; done' }] };
    const ended = place.torc('run', place.file('w.json', JSON.stringify(spec)));
    while (!existsSync(join(place.path, 'begun'))) await new Promise((resolve) => setTimeout(resolve, 50));
    const refused = await place.torc('server', 'restore', 'b.db');
    const stopped = await place.torc('server', 'stop');
    place.file('go', '');
    expect(refused).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/^error: '.*run .*w\.json.* on .* is using/),
    });
    expect(stopped).toMatchObject({ code: 4, stderr: expect.stringMatching(/ is not a server, but .*\nhint: Wait/) });
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('that is killed leaves the old database or the backup, whenever it is', { timeout: 300_000 }, async () => {
    await backupAndMore();
    const old = await names();
    const saved = join(place.path, 'saved');
    cpSync(place.dir, saved, { recursive: true });
    const hook = place.file(
      'kill-at.mjs',
      `import fs from 'node:fs';
      import { syncBuiltinESMExports } from 'node:module';
      let left = Number(process.env.KILL_BEFORE);
      for (const name of ['copyFileSync', 'renameSync', 'rmSync', 'mkdirSync', 'openSync', 'fsyncSync']) {
        const original = fs[name];
        fs[name] = (...values) => {
          const isChange = String(values[0]).includes('server dir') || String(values[1]).includes('server dir') || name === 'fsyncSync';
          if (isChange && left-- === 0) process.kill(process.pid, 'SIGKILL');
          return original(...values);
        };
      }
      syncBuiltinESMExports();`,
    );
    const seen = new Set<string>();
    for (let at = 0; ; at++) {
      rmSync(place.dir, { recursive: true });
      cpSync(saved, place.dir, { recursive: true });
      const ended = await place.torcWith(
        { NODE_OPTIONS: `--import=file://${encodeURI(hook)}`, KILL_BEFORE: String(at) },
        'server',
        'restore',
        'b.db',
      );
      const found = JSON.stringify(await names());
      expect([JSON.stringify(old), '["1:2"]'], `killed at ${at}`).toContain(found);
      seen.add(found);
      if (found === '["1:2"]') expect(kept().length, `killed at ${at}`).toBeGreaterThan(0);
      if (ended.signal === null) {
        expect(ended).toMatchObject({ code: 0 });
        expect(at).toBeGreaterThan(8);
        break;
      }
      expect(ended.signal).toBe('SIGKILL');
    }
    expect(seen.size).toBe(2);
  });
});
