/**
 * Server directories that the programs of older commits have made (scripts/make-old-directory.mjs), as a crash left them,
 * with what these programs listed.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTorc } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

type Row = Record<string, unknown>;
interface Recorded {
  place: string;
  lists: Record<'workflows' | 'jobs' | 'results', Row[]>;
}

const archives = new URL('../fixtures/old-directories/', import.meta.url).pathname;
/** Made between two migrations that came out of order: it has the number of a version that it is not. */
const betweenReleases = '024_00ff535.tar.gz';
const released = readdirSync(archives).filter((name) => name !== betweenReleases);
/**
 * Where the recorded workers were: a server on their own host sees within seconds that the killed one is gone, and gives its
 * job to others by itself.
 */
const elsewhere = 'a-host-elsewhere';

let place: Place;
const database = (): string => join(place.dir, 'torc.db');

beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

/** Puts the directory of an archive in the place, with its log, as if it had been made there. */
function unpack(archive: string): Recorded {
  execFileSync('tar', ['-C', place.path, '-xzf', join(archives, archive)]);
  const recorded = JSON.parse(readFileSync(join(place.path, 'recorded.json'), 'utf8')) as Recorded;
  const moved = join(place.path, 'server');
  const db = new Sqlite(join(moved, 'torc.db'));
  for (const { name, columns } of tables(db)) {
    for (const column of columns.filter(({ type }) => type === 'TEXT')) {
      const sql = `UPDATE ${name} SET ${column.name} = replace(${column.name}, ?, ?) WHERE instr(${column.name}, ?) > 0`;
      db.prepare(sql).run(recorded.place, place.path, recorded.place);
    }
  }
  db.prepare('UPDATE compute_nodes SET hostname = ?').run(elsewhere);
  mkdirSync(place.dir, { recursive: true, mode: 0o700 });
  // closing it would take in the log
  for (const name of ['torc.db', 'torc.db-wal']) copyFileSync(join(moved, name), join(place.dir, name));
  db.close();
  for (const name of readdirSync(moved)) {
    if (!name.startsWith('torc.db')) execFileSync('cp', ['-r', join(moved, name), place.dir]);
  }
  rmSync(moved, { recursive: true });
  for (const row of Object.values(recorded.lists).flat()) if (row.hostname != null) row.hostname = elsewhere;
  return JSON.parse(JSON.stringify(recorded).replaceAll(recorded.place, place.path)) as Recorded;
}

function tables(db: Sqlite.Database): { name: string; columns: { name: string; type: string }[] }[] {
  const names = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1`).pluck().all() as string[];
  return names.map((name) => ({
    name,
    columns: db.pragma(`table_info(${name})`) as { name: string; type: string }[],
  }));
}

/** Everything that a database holds, without the mark of a copy. */
function contents(path: string): unknown {
  const copy = join(place.path, 'contents.db');
  for (const end of ['', '-wal']) {
    rmSync(`${copy}${end}`, { force: true });
    if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`);
  }
  const db = new Sqlite(copy);
  try {
    const schema = db.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2').all();
    const rows = tables(db).map(({ name }) => {
      const found = db.prepare(`SELECT * FROM ${name}`).all() as Row[];
      return [
        name,
        found
          .filter((row) => name !== 'meta' || row.name !== 'copied_at')
          .map((row) => JSON.stringify(row))
          .sort(),
      ];
    });
    return { version: db.pragma('user_version', { simple: true }), schema, rows };
  } finally {
    db.close();
  }
}

async function list(name: keyof Recorded['lists'], key?: string): Promise<Row[]> {
  const words = key === undefined ? [] : ['-k', key];
  return (await place.json<Record<string, Row[]>>([...words, name, 'list']))[name] ?? [];
}

describe.each(released)('the directory %s', (archive) => {
  it('is copied, opens with all that it held, and goes on', { timeout: 300_000 }, async () => {
    const recorded = unpack(archive);
    const before = contents(database());
    const version = Number(archive.slice(0, 3));
    const newest = Math.max(
      ...readdirSync(new URL('../../src/storage/schema/', import.meta.url)).map((name) => Number.parseInt(name, 10)),
    );

    const first = await place.torc('-F', 'json', 'workflows', 'list');
    expect(first.code, first.stderr).toBe(0);
    const backups = existsSync(join(place.dir, 'backups')) ? readdirSync(join(place.dir, 'backups')) : [];
    const waits = expect.stringMatching(/^No server is running, and 1 worker waits for one: torc --dir /);
    const warnings = first.stderr.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    if (version === newest) {
      expect({ warnings, backups }).toEqual({ warnings: [{ warning: waits }], backups: [] });
    } else {
      expect(backups).toEqual([expect.stringMatching(new RegExp(`^schema_${version}_\\d{8}T\\d{9}Z\\.db$`))]);
      const copy = join(place.dir, 'backups', backups[0] ?? '');
      expect(warnings).toEqual([
        { warning: `Upgraded the database from schema version ${version}; as it was, it is in ${copy}` },
        { warning: waits },
      ]);
      expect(statSync(copy).mode & 0o777).toBe(0o600);
      expect(contents(copy)).toEqual(before);
    }
    expect(await place.torc('workflows', 'list')).toMatchObject({ code: 0, stderr: waits });

    const keys = recorded.lists.workflows.map((row) => String(row.workflow_key));
    const listed = {
      workflows: (JSON.parse(first.stdout) as Recorded['lists']).workflows,
      jobs: (await Promise.all(keys.map((key) => list('jobs', key)))).flat(),
      results: (await Promise.all(keys.map((key) => list('results', key)))).flat(),
    };
    for (const name of ['workflows', 'jobs', 'results'] as const) {
      expect(listed[name], name).toMatchObject(recorded.lists[name]);
      expect(listed[name]).toHaveLength(recorded.lists[name].length);
    }
    expect(recorded.lists.results.length).toBeGreaterThan(2);
    const read = listed.jobs.find((job) => job.name === 'read');
    const log = await place.torc('jobs', 'logs', String(read?.job_key));
    if (version > 1) expect(log.stdout).toContain('42');
    else expect(log.stderr).toContain('did not report where its output is');
    expect(await place.json(['server', 'check'])).toMatchObject({ sound: true, schema_version: newest });

    // what has not run yet runs; what failed runs again, in the next run; what the crash left behind is known
    const run = async (key: string) => (await place.torc('-F', 'json', 'jobs', 'run', key)).code;
    await place.json(['workflows', 'start', '2']);
    expect(await run('2')).toBe(0);
    await place.json(['workflows', 'reset-status', '1', '--failed-only', '--restart']);
    expect(await run('1')).toBe(1);
    const again = (await list('results', '1')).filter((row) => row.run_id === 2);
    // unpacking has changed the file that 'read' reads, as far as its times tell
    expect(again.filter((row) => row.job_name !== 'read')).toMatchObject([{ job_name: 'fails', return_code: 3 }]);
    const plan = await place.json<{ changes: Row[] }>(['workflows', 'restart', '3', '--dry-run', '--force']);
    expect(plan.changes).toEqual([
      expect.objectContaining({ job_name: 'long', old_status: 'submitted', new_status: 'ready' }),
    ]);
    expect(await place.json(['server', 'check'])).toMatchObject({ sound: true });
  });
});

it('a server that upgrades a database for long is waited for, and its command says why', async () => {
  unpack('052_e6fdc4f.tar.gz');
  const go = join(place.path, 'go');
  // works on and on before it opens the database
  const slow = place.file(
    'slow.cjs',
    `if (process.argv.includes('--lasting')) while (!require('node:fs').existsSync(${JSON.stringify(go)}));`,
  );
  const words = ['--dir', place.dir, 'server', 'start', '--daemon'];
  const starting = startTorc(words, { cwd: place.path, env: { NODE_OPTIONS: `--require "${slow}"` } });
  const told = new Promise<void>((fulfil) => {
    let stderr = '';
    starting.child.stderr?.on('data', (text: string) => {
      stderr += text;
      if (stderr.includes('\n')) fulfil();
    });
  });
  await Promise.race([told, starting.ended]);
  writeFileSync(go, '');
  expect(await starting.ended).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(
      /^upgrading the database \([\d.]+[KM]\) for this version of torc; this command waits until it is done\n/,
    ),
  });
  expect((await place.torc('server', 'info')).code).toBe(0);
});

it('a directory of a torc between two releases is refused and stays as it was', async () => {
  unpack(betweenReleases);
  const before = contents(database());
  const ended = await place.torc('workflows', 'list');
  expect(ended).toMatchObject({ code: 5, stdout: '' });
  expect(ended.stderr).toMatch(
    /has schema version 24, but not as it was released: .* is missing\nhint: .*torc workflows export/,
  );
  expect(contents(database())).toEqual(before);
  expect(existsSync(join(place.dir, 'backups'))).toBe(false);
});

it.skipIf(process.getuid?.() !== 0)(
  'without room for the copy nothing is upgraded, and the next try goes through',
  async () => {
    mkdirSync(place.dir, { mode: 0o700 });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k,mode=0700', 'tmpfs', place.dir], { stdio: 'ignore' });
    } catch {
      console.warn('skipped: only root can mount a small file system');
      return;
    }
    try {
      unpack('008_d8b136e.tar.gz');
      const before = contents(database());
      const filler = join(place.dir, 'filler');
      writeFileSync(filler, Buffer.alloc(60_000));
      const ended = await place.torc('workflows', 'list');
      expect(ended).toMatchObject({ code: 5, stdout: '' });
      expect(ended.stderr).toMatch(
        /older schema version 8 and cannot be copied before it is upgraded: that takes [\d.]+K, and [\d.]+K is free\nhint: Free some space/,
      );
      expect(contents(database())).toEqual(before);
      execFileSync('mount', ['-o', 'remount,size=8m', place.dir]);
      expect(await place.torc('workflows', 'list')).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^Upgraded/m),
      });
    } finally {
      execFileSync('umount', ['-l', place.dir]);
    }
  },
);
