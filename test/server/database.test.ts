import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/database/database.ts';
import { inTransaction, type Transaction } from '../../src/storage/database/transaction.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'torc db '));
  path = join(directory, 'torc.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Tries to open and write the database from another process; returns its error code, or null if it succeeded. */
function writeFromAnotherProcess(): string | null {
  const script = `
    const Sqlite = require(${JSON.stringify(createRequire(import.meta.url).resolve('better-sqlite3'))});
    try {
      const db = new Sqlite(${JSON.stringify(path)}, { timeout: 0 });
      db.exec('CREATE TABLE intruder (x)');
    } catch (error) { console.log(error.code); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim() === '' ? null : stdout.trim();
}

describe('the database', () => {
  it('has one owner at a time, and makes no shared-memory file', () => {
    const db = Database.open(path);
    expect(writeFromAnotherProcess()).toBe('SQLITE_BUSY');
    expect(() => statSync(`${path}-shm`)).toThrow(/ENOENT/);
    expect(() => Database.open(path)).toThrow(/another process is using/);
    db.close();
    expect(writeFromAnotherProcess()).toBeNull();
  });

  it('loses its lock when the owner closes another descriptor of it, so the owner never opens one', () => {
    const db = Database.open(path);
    expect(writeFromAnotherProcess()).toBe('SQLITE_BUSY');
    closeSync(openSync(path, 'r'));
    expect(writeFromAnotherProcess()).not.toBe('SQLITE_BUSY');
    db.close();
  });

  it('refuses a newer schema, a damaged file and an unwritable directory, and says what to do', () => {
    Database.open(path).close();
    const newer = new Sqlite(path);
    newer.pragma('user_version = 999');
    newer.close();
    expect(() => Database.open(path)).toThrow(/schema version 999/);
    writeFileSync(path, 'this is no database, but long enough to be read as one '.repeat(40));
    rmSync(`${path}-wal`, { force: true });
    expect(() => Database.open(path)).toThrow(/damaged or is not a torc database/);
    expect(readFileSync(path, 'utf8')).toContain('this is no database');
  });

  it('a failing schema step leaves the database as it was, and the next try begins again', () => {
    Database.open(path).close();
    const shipped = new URL('../../src/storage/schema/', import.meta.url);
    const schema = join(directory, 'schema');
    cpSync(shipped, schema, { recursive: true });
    const version = Number(readdirSync(schema).toSorted().at(-1)?.slice(0, 3));
    const step = (number: number) => join(schema, `${String(number).padStart(3, '0')}_new.sql`);
    writeFileSync(step(version + 1), 'CREATE TABLE added (x INTEGER) STRICT; INSERT INTO added VALUES (1);');
    const half = `INSERT INTO added VALUES (2); ALTER TABLE jobs ADD COLUMN half INTEGER; INSERT INTO nowhere VALUES (3);`;
    writeFileSync(step(version + 2), half);
    expect(() => Database.open(path, schema)).toThrow(
      expect.objectContaining({
        code: 'unusable',
        message: expect.stringContaining(`schema version ${version + 2}; it stays at ${version}`),
      }),
    );
    writeFileSync(step(version + 2), 'INSERT INTO added VALUES (4);');
    const db = Database.open(path, schema);
    expect(db.all('SELECT x FROM added ORDER BY x')).toEqual([{ x: 1 }, { x: 4 }]);
    expect(db.get('PRAGMA user_version')?.user_version).toBe(version + 2);
    db.close();
  });

  it('of an older version is copied before it is upgraded; the last three copies are kept', () => {
    Database.open(path).close();
    const schema = join(directory, 'schema');
    cpSync(new URL('../../src/storage/schema/', import.meta.url), schema, { recursive: true });
    const version = Number(readdirSync(schema).toSorted().at(-1)?.slice(0, 3));
    const copies = (): string[] => readdirSync(join(directory, 'backups')).toSorted();
    for (let step = 1; step <= 5; step++) {
      writeFileSync(join(schema, `${String(version + step).padStart(3, '0')}_new.sql`), `CREATE TABLE t${step} (x);`);
      const db = Database.open(path, schema, step * 1000);
      expect(db.upgrade).toEqual({
        from: version + step - 1,
        to: version + step,
        copyPath: join(directory, 'backups', `schema_${version + step - 1}_19700101T00000${step}000Z.db`),
      });
      expect(existsSync(db.upgrade?.copyPath ?? '')).toBe(true);
      db.close();
      expect(Database.open(path, schema).close()).toBeUndefined();
    }
    expect(copies().map((name) => name.slice(0, -4))).toEqual(
      [3, 4, 5].map((step) => `schema_${version + step - 1}_19700101T00000${step}000`),
    );
    // back to a torc that does not know the last steps
    for (const step of [4, 5]) rmSync(join(schema, `${String(version + step).padStart(3, '0')}_new.sql`));
    const message = `schema version ${version + 5}; this torc supports versions up to ${version + 3}`;
    const hint = expect.stringContaining(`torc server restore '${join(directory, 'backups', copies()[1] ?? '')}'`);
    expect(() => Database.open(path, schema)).toThrow(
      expect.objectContaining({ code: 'unusable', message: expect.stringContaining(message), hint }),
    );
  });

  it('of an older version is upgraded although older copies cannot be removed', () => {
    Database.open(path).close();
    const schema = join(directory, 'schema');
    cpSync(new URL('../../src/storage/schema/', import.meta.url), schema, { recursive: true });
    const version = Number(readdirSync(schema).toSorted().at(-1)?.slice(0, 3));
    writeFileSync(join(schema, `${String(version + 1).padStart(3, '0')}_new.sql`), 'CREATE TABLE added (x);');
    for (const day of ['01', '02', '03'])
      mkdirSync(join(directory, 'backups', `schema_1_197001${day}T000000000Z.db`), { recursive: true, mode: 0o700 });
    const db = Database.open(path, schema);
    expect(db.upgrade).toMatchObject({ from: version, to: version + 1 });
    db.close();
  });

  it('of an older version that is damaged is neither copied nor upgraded', () => {
    const db = Database.open(path);
    for (let n = 0; n < 200; n++)
      db.run('INSERT INTO events (at, workflow_key, type) VALUES (1, 1, ?)', 'x'.repeat(500));
    db.close();
    const bytes = readFileSync(path);
    const page = Math.floor(bytes.indexOf('x'.repeat(500)) / 4096) * 4096;
    writeFileSync(path, bytes.fill(0xa5, page, page + 4096));
    const schema = join(directory, 'schema');
    cpSync(new URL('../../src/storage/schema/', import.meta.url), schema, { recursive: true });
    writeFileSync(join(schema, '900_new.sql'), 'CREATE TABLE t (x);');
    expect(() => Database.open(path, schema)).toThrow(/is damaged/);
    expect(readdirSync(join(directory, 'backups'))).toEqual([]);
    const readable = new Sqlite(path);
    expect(readable.prepare(`SELECT name FROM sqlite_master WHERE name = 't'`).all()).toEqual([]);
    readable.close();
  });

  it('of an earlier version tells its runs from its events', () => {
    const shipped = new URL('../../src/storage/schema/', import.meta.url);
    const schema = join(directory, 'schema');
    cpSync(shipped, schema, { recursive: true });
    for (const name of readdirSync(schema)) if (Number(name.slice(0, 3)) > 31) rmSync(join(schema, name));
    const old = Database.open(path, schema);
    const event = (at: number, type: string, data: object) => {
      const sql = 'INSERT INTO events (at, workflow_key, type, data) VALUES (?, 7, ?, ?)';
      old.run(sql, at, type, JSON.stringify(data));
    };
    event(1, 'workflow_created', { num_jobs: 2 });
    event(2, 'workflow_started', { run_id: 1 });
    event(3, 'job_moves', ['1c', '1u']);
    event(4, 'workflow_ended', { run_id: 1, status: 'failed' });
    event(5, 'workflow_restarted', { run_id: 2, num_changes: 1 });
    old.close();
    const db = Database.open(path);
    const sql =
      'SELECT workflow_key, run_id, how, who, started_at, ended_at, status, num_jobs FROM runs ORDER BY run_key';
    const unknown = { workflow_key: 7, who: null, num_jobs: null };
    expect(db.all(sql)).toEqual([
      { ...unknown, run_id: 1, how: 'start', started_at: 2, ended_at: 4, status: 'failed' },
      { ...unknown, run_id: 2, how: 'restart', started_at: 5, ended_at: null, status: null },
    ]);
    db.close();
  });

  it('an unwritable directory is reported as such', () => {
    if (process.getuid?.() === 0) return;
    chmodSync(directory, 0o500);
    expect(() => Database.open(path)).toThrow(/cannot open/);
  });

  it('a failing member of a transaction undoes only itself, including counts', () => {
    const db = Database.open(path);
    inTransaction(db, 1, (tx) => {
      tx.savepoint(() => tx.count(1, 'ready', false, 2));
      expect(() =>
        tx.savepoint(() => {
          tx.count(1, 'ready', false, 100);
          tx.event({ workflowKey: 1, type: 'lost' });
          throw new Error('no');
        }),
      ).toThrow('no');
    });
    expect(db.get('SELECT n FROM job_counts')?.n).toBe(2);
    expect(db.all('SELECT * FROM events')).toEqual([]);
    db.close();
  });

  it('a full disk rolls back everything, and a savepoint after it cannot begin another transaction', () => {
    const db = Database.open(path);
    db.run('PRAGMA max_page_count = 60');
    const fillUp = (tx: Transaction) => tx.event({ workflowKey: 1, type: 'x'.repeat(1_000_000) });
    const full = expect.objectContaining({
      code: 'no_space',
      message: expect.stringContaining('cannot be written'),
    });
    expect(() =>
      inTransaction(db, 1, (tx) => {
        tx.event({ workflowKey: 1, type: 'small' });
        tx.savepoint(() => fillUp(tx));
      }),
    ).toThrow(full);
    expect(() =>
      inTransaction(db, 1, (tx) => {
        tx.event({ workflowKey: 1, type: 'small' });
        expect(() => tx.savepoint(() => fillUp(tx))).toThrow();
      }),
    ).toThrow(full);
    expect(db.isInTransaction).toBe(false);
    expect(db.all('SELECT * FROM events')).toEqual([]);
    inTransaction(db, 1, (tx) => tx.event({ workflowKey: 1, type: 'small' }));
    expect(db.all('SELECT type FROM events')).toEqual([{ type: 'small' }]);
    db.close();
  });

  it('its whole schema is the reviewed one', async () => {
    const db = Database.open(path);
    const schema = db.all(`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name`).map((row) => row.sql);
    db.close();
    await expect(`${schema.join(';\n\n')};\n`).toMatchFileSnapshot('schema.sql');
  });
});
