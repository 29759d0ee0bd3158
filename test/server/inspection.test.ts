/** What is seen of a database from outside, while a server opens it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { schemaVersion } from '../../src/base/program.ts';
import { olderDatabaseBytes } from '../../src/server/owner/inspection.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'torc-inspection-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('is of an older torc only with an older version: one that is being made has none yet', () => {
  expect(olderDatabaseBytes(directory)).toBeNull();
  const sqlite = new Sqlite(join(directory, 'torc.db'));
  sqlite.exec('CREATE TABLE t (x)');
  expect(olderDatabaseBytes(directory)).toBeNull();
  sqlite.pragma(`user_version = ${schemaVersion() - 1}`);
  expect(olderDatabaseBytes(directory)).toBe(8192);
  sqlite.pragma(`user_version = ${schemaVersion()}`);
  expect(olderDatabaseBytes(directory)).toBeNull();
  sqlite.close();
});
