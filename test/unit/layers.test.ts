/** A file imports its own layer and those below it, a room those below it; the worker loads neither the database nor zod. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  cyclesIn,
  holdsSql,
  importsIn,
  isTooLong,
  openersIn,
  type Rooms,
  unknownRooms,
  upwardImports,
} from '../support/source-rules.ts';

const source = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src');

/** What each layer may import besides itself. */
const below: Record<string, string[]> = {
  base: [],
  model: ['base'],
  storage: ['base', 'model', 'api'],
  slurm: ['base', 'model'],
  api: ['base', 'model'],
  server: ['base', 'model', 'storage', 'slurm', 'api'],
  worker: ['base', 'model', 'slurm', 'api'],
  cli: ['base', 'model', 'slurm', 'api', 'server', 'worker'],
  page: ['base', 'model', 'api'],
};

/** The layers that have rooms; base, api and slurm are flat, and storage/schema holds SQL files only. */
const rooms: Record<string, Rooms> = {
  storage: {
    foundation: [],
    levels: [['database'], ['running'], ['runs', 'demand'], ['evidence', 'authoring', 'lists']],
  },
  model: {
    foundation: [
      'status.ts',
      'job.ts',
      'labels.ts',
      'named-resources.ts',
      'launch.ts',
      'retry.ts',
      'scale.ts',
      'usage.ts',
      'auto-size.ts',
      'expanded.ts',
      'identity.ts',
      'notification.ts',
    ],
    levels: [
      ['graph', 'spec'],
      ['expand', 'decide'],
      ['plan', 'translate'],
    ],
  },
  server: {
    foundation: ['context.ts'],
    levels: [
      ['owner', 'live'],
      ['exchange', 'evidence', 'http', 'network', 'time'],
      ['actions', 'plans'],
      ['handlers'],
    ],
  },
  worker: {
    foundation: [],
    levels: [['processes'], ['files', 'exchange']],
  },
  cli: {
    foundation: [],
    levels: [
      ['context'],
      ['output', 'connection'],
      ['input'],
      ['documents', 'plans'],
      ['answers'],
      ['workers', 'dash', 'mcp'],
      ['actions'],
      ['tui'],
      ['commands', 'library'],
    ],
  },
};

/** What opens files itself, and why that is no way in for others. */
const openers: Record<string, string> = {
  'worker/processes/node-spawner.ts openSync': 'it opens /dev/null and files of /proc, where nobody can put anything',
};

const texts = new Map(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => [name.split(sep).join('/'), readFileSync(join(source, name), 'utf8')]),
);
const files = [...texts.keys()];
const imports = [...texts].flatMap(([path, text]) => importsIn(path, text));

const layerOf = (file: string) => file.split('/')[0] ?? '';
const filesWith = (holds: (text: string, path: string) => boolean) =>
  [...texts].flatMap(([path, text]) => (holds(text, path) ? [path] : []));

/** The packages that are loaded at once when `entry` is imported. */
function packagesLoadedBy(entry: string): string[] {
  const seen = new Set([entry]);
  const packages = new Set<string>();
  for (const file of seen) {
    for (const { from, to, target, isTypeOnly, isLazy } of imports) {
      if (from !== file || isTypeOnly || isLazy) continue;
      if (to !== null) seen.add(to);
      else if (!target.startsWith('node:')) packages.add(target);
    }
  }
  return [...packages];
}

it('the schema has one file for each of its versions', () => {
  const versions = readdirSync(join(source, 'storage', 'schema')).map((name) => name.slice(0, 3));
  expect(versions).toEqual([...new Set(versions)]);
});

describe('layers', () => {
  it('every folder of src is a layer', () => {
    expect(new Set(files.map(layerOf))).toEqual(new Set(Object.keys(below)));
  });

  it('every import is understood', () => {
    const missing = imports.filter(({ to }) => to !== null && !texts.has(to));
    expect(missing.map(({ from, target }) => `${from} imports ${target}`)).toEqual([]);
    expect(imports.length).toBeGreaterThan(1500);
  });

  it('no file imports from a layer above or beside it', () => {
    const wrong = imports.filter(({ from, to }) => {
      return to !== null && layerOf(to) !== layerOf(from) && !below[layerOf(from)]?.includes(layerOf(to));
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it('every folder of a layer with rooms is one of its rooms', () => {
    expect(unknownRooms(files, rooms)).toEqual([]);
  });

  it('no file imports from a room above or beside its own', () => {
    expect(upwardImports(imports, rooms)).toEqual([]);
  });

  it('no files import each other in a cycle', () => {
    expect(cyclesIn(imports)).toEqual([]);
  });

  it('the worker loads neither SQLite nor zod', () => {
    expect(packagesLoadedBy('worker/worker.ts')).toEqual([]);
    expect(packagesLoadedBy('cli/actions/worker-child.ts')).toEqual([]);
    expect(packagesLoadedBy('cli/actions/slurm-run-jobs.ts')).toEqual([]);
  });

  it('opening the database for a short command does not load zod', () => {
    expect(packagesLoadedBy('server/open.ts')).toEqual(['better-sqlite3']);
  });

  it('commands import only types from the contract, which loads every schema', () => {
    const imports = /^import \{[^}]*\} from '[./]+api\/contract\.ts'/m;
    expect(filesWith((text, path) => layerOf(path) === 'cli' && imports.test(text))).toEqual([]);
  });

  it('only storage holds SQL', () => {
    expect(filesWith((text, path) => layerOf(path) !== 'storage' && holdsSql(text))).toEqual([]);
  });

  it('only base/config.ts reads the environment', () => {
    expect(filesWith((text, path) => path !== 'base/config.ts' && /process\.env\b/.test(text))).toEqual([]);
  });

  it('files are opened, created and moved by path only in base/trusted, with listed exceptions', () => {
    const found = [...texts].flatMap(([path, text]) => {
      const names = path.startsWith('base/trusted/') ? [] : openersIn(text);
      return names.map((name) => `${path} ${name}`);
    });
    expect(found).toEqual(Object.keys(openers));
  });

  it('no file is longer than 300 lines without a reason', () => {
    expect(filesWith(isTooLong)).toEqual([]);
  });
});

describe('the rules of layers', () => {
  const imported = (from: string, ...lines: string[]) => importsIn(from, lines.join('\n'));

  it('see imports of every kind', () => {
    const found = imported(
      'cli/a.ts',
      "import { one, type Two } from './b.ts';",
      'import {\n  three,\n} from "not-ours";',
      "import type { Four } from '../base/c.ts';",
      "import './d.ts';",
      "export * from './e.ts';",
      "export type { Five } from './f.ts';",
      "export const six = async () => await import('./g.ts');",
      "const seven: import('./h.ts').Seven | null = null;",
      "import zod from 'zod';",
      'const text = "not imported from \'./i.ts\'";',
    );
    expect(found.map(({ to, target }) => to ?? target)).toEqual([
      'cli/b.ts',
      'base/c.ts',
      'cli/d.ts',
      'cli/e.ts',
      'cli/f.ts',
      'zod',
      'cli/g.ts',
      'cli/h.ts',
    ]);
    expect(found.filter(({ isTypeOnly }) => isTypeOnly).map(({ to }) => to)).toEqual(['base/c.ts', 'cli/f.ts']);
    expect(found.filter(({ isLazy }) => isLazy).map(({ to }) => to)).toEqual(['cli/g.ts', 'cli/h.ts']);
  });

  it('report a cycle as a path, also one of a type-only and a dynamic import', () => {
    const lines = [
      ...imported('server/a.ts', "import { b } from './room/b.ts';"),
      ...imported('server/room/b.ts', "import type { C } from './c.ts';", "import { d } from '../d.ts';"),
      ...imported('server/room/c.ts', "await import('../a.ts');", "import { d } from '../d.ts';"),
    ];
    expect(cyclesIn(lines)).toEqual(['server/a.ts -> server/room/b.ts -> server/room/c.ts -> server/a.ts']);
    expect(cyclesIn(lines.filter(({ isTypeOnly }) => !isTypeOnly))).toEqual([]);
  });

  it('report imports that go up or sideways between rooms', () => {
    const house = { storage: { foundation: ['words.ts'], levels: [['low'], ['left', 'right']] } };
    const from = (file: string, ...targets: string[]) =>
      imported(file, ...targets.map((target) => `import '${target}';`));
    const down = [
      ...from('storage/left/a.ts', './b.ts', '../low/c.ts', '../words.ts', '../../base/text.ts'),
      ...from('storage/open.ts', './left/a.ts', './low/c.ts', './words.ts', './close.ts'),
    ];
    expect(upwardImports(down, house)).toEqual([]);
    const wrong = [
      ...from('storage/low/c.ts', '../left/a.ts'),
      ...from('storage/left/a.ts', '../right/d.ts', '../open.ts'),
      ...from('storage/words.ts', './low/c.ts'),
    ];
    expect(upwardImports(wrong, house)).toEqual(wrong.map(({ from, to }) => `${from} imports ${to}`));
    const files = ['storage/words.ts', 'storage/low/c.ts', 'storage/left/a.ts', 'storage/attic/e.ts'];
    expect(unknownRooms(files, house)).toEqual(['storage/right', 'storage/attic']);
  });

  it.each([
    "db.all('SELECT name FROM jobs WHERE job_key = ?', key)",
    'db.run(`insert or ignore into jobs (name) values (?)`, name)',
    'db.run(`\n    update jobs set status = 3`)',
    'db.run("delete from jobs where job_key = ?", key)',
    'const end = ` WHERE job_key = ?`',
    "db.exec('pragma journal_mode = wal')",
    "db.exec('create table notes (text TEXT)')",
    'db.all(`with recursive up(key) as (select 1) select key from up`)',
    "db.all('select ' + columns + ' from jobs')",
  ])('see SQL in %s', (line) => {
    expect(holdsSql(line)).toBe(true);
  });

  it.each([
    "command.description('Delete jobs from a workflow')",
    "command.description('Update a workflow: set its name')",
    '// selects what comes from the file',
    "throw new TorcError('Select one with -k; where there is none, create one.')",
    "import { create } from './with-index.ts'",
  ])('see no SQL in %s', (line) => {
    expect(holdsSql(line)).toBe(false);
  });

  it.each([
    ["import { openSync } from 'node:fs';", ['openSync']],
    ["import {\n  closeSync,\n  mkdirSync as make,\n  type Stats,\n} from 'node:fs';", ['mkdirSync']],
    ["import { open, writeFile } from 'node:fs/promises';", ['open', 'writeFile']],
    ["import { appendFileSync, copyFileSync, renameSync, chmodSync } from 'fs';", 4],
    ["import { symlinkSync, createWriteStream, mkdtempSync, linkSync } from 'node:fs';", 4],
    ["import fs from 'node:fs';", ['*']],
    ["import * as fs from 'node:fs/promises';", ['*']],
    ["import fs, { statSync } from 'node:fs';", ['*']],
    ["import { promises } from 'node:fs';", ['promises']],
    ["export { openSync } from 'node:fs';", ['openSync']],
    ["export * from 'node:fs';", ['*']],
    ["const { openSync } = await import('node:fs');", ['*']],
    ["const fs = require('fs');", ['*']],
  ])('see what opens files in %s', (text, names) => {
    if (typeof names === 'number') expect(openersIn(text)).toHaveLength(names);
    else expect(openersIn(text)).toEqual(names);
  });

  it.each([
    "import { closeSync, fchmodSync, readFileSync, rmSync, statSync, type OpenMode } from 'node:fs';",
    "import type { openSync } from 'node:fs';",
    "import { opendir, stat } from 'node:fs/promises';",
    "import { openSync } from './files.ts';",
    "// import { openSync } from 'node:fs';",
  ])('see nothing that opens files in %s', (text) => {
    expect(openersIn(text)).toEqual([]);
  });

  it('see a file that is too long, unless its first comment says why', () => {
    const lines = (count: number) => 'export const line = 1;\n'.repeat(count);
    expect(isTooLong(lines(300))).toBe(false);
    expect(isTooLong(lines(301))).toBe(true);
    expect(isTooLong(`/** All codes. Long because they are one table. */\n${lines(300)}`)).toBe(false);
    expect(isTooLong(`/** All codes. */\n${lines(300)}/** Long because nobody looks here. */\n`)).toBe(true);
  });
});
