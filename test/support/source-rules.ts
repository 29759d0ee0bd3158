/**
 * The rules of layers.test.ts as pure functions over imports and texts, so that each is also tested on a planted
 * mistake.
 */
import { posix } from 'node:path';

/** `from` and `to` are paths from src/; `to` is null for a package, which `target` names. */
export interface Import {
  from: string;
  target: string;
  to: string | null;
  isTypeOnly: boolean;
  isLazy: boolean;
}

const staticImport = /^(?:import|export)\s+(type\s)?(?:[\w$*{}\s,]+?\sfrom\s+)?'([^']+)'/gm;
const lazyImport = /\bimport\(\s*['"`]([^'"`]+)['"`]/g;

/**
 * All imports and re-exports of a file: static, type-only, for side effects, dynamic and those of `import('x').Type`.
 */
export function importsIn(path: string, text: string): Import[] {
  const found = (target: string, isTypeOnly: boolean, isLazy: boolean): Import => {
    const to = target.startsWith('.') ? posix.join(posix.dirname(path), target) : null;
    return { from: path, target, to, isTypeOnly, isLazy };
  };
  return [
    ...[...text.matchAll(staticImport)].map(([, type, target = '']) => found(target, type !== undefined, false)),
    ...[...text.matchAll(lazyImport)].map(([, target = '']) => found(target, false, true)),
  ];
}

/** A shortest cycle through each import that closes one, as `a -> b -> a`, each cycle once. */
export function cyclesIn(imports: readonly Import[]): string[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to } of imports) if (to !== null) next.set(from, (next.get(from) ?? new Set()).add(to));
  const cycles = new Map<string, string>();
  for (const [from, targets] of next) {
    for (const target of targets) {
      const way = shortestWay(next, target, from);
      if (way === null) continue;
      const id = [...way].sort().join(' ');
      if (!cycles.has(id)) cycles.set(id, [from, ...way].join(' -> '));
    }
  }
  return [...cycles.values()];
}

/** The files from `first` to `last`, inclusive; null when there is no path. */
function shortestWay(next: ReadonlyMap<string, ReadonlySet<string>>, first: string, last: string): string[] | null {
  const cameFrom = new Map<string, string | null>([[first, null]]);
  for (const file of cameFrom.keys()) {
    if (file === last) {
      const way: string[] = [];
      for (let at: string | null = last; at !== null; at = cameFrom.get(at) ?? null) way.unshift(at);
      return way;
    }
    for (const target of next.get(file) ?? []) if (!cameFrom.has(target)) cameFrom.set(target, file);
  }
  return null;
}

/**
 * A layer's rooms from the lowest level to the highest; rooms of one level do not know each other. Files that lie
 * directly in the layer's folder are above all rooms, except those of `foundation`, which are below.
 */
export interface Rooms {
  foundation: readonly string[];
  levels: readonly (readonly string[])[];
}

/** Imports inside a layer that go up or sideways, as `a imports b`; also files in a room that no level names. */
export function upwardImports(imports: readonly Import[], layers: Readonly<Record<string, Rooms>>): string[] {
  return imports.flatMap(({ from, to }) => {
    const [layer = ''] = from.split('/');
    const rooms = layers[layer];
    if (to === null || rooms === undefined || !to.startsWith(`${layer}/`)) return [];
    const [own, other] = [placeOf(from, rooms), placeOf(to, rooms)];
    if (own.room === other.room || own.level > other.level) return [];
    return [`${from} imports ${to}`];
  });
}

/** The rooms of `files` that no level of their layer names, and named levels and foundations that do not exist. */
export function unknownRooms(files: readonly string[], layers: Readonly<Record<string, Rooms>>): string[] {
  return Object.entries(layers).flatMap(([layer, rooms]) => {
    const inside = files.filter((file) => file.startsWith(`${layer}/`)).map((file) => file.split('/').slice(1));
    const there = new Set(inside.map(([first = '']) => first));
    const named = [...rooms.levels.flat(), ...rooms.foundation];
    const unnamed = [...new Set(inside.filter(({ length }) => length > 1).map(([first = '']) => first))];
    return [...named.filter((name) => !there.has(name)), ...unnamed.filter((name) => !named.includes(name))].map(
      (name) => `${layer}/${name}`,
    );
  });
}

function placeOf(file: string, { foundation, levels }: Rooms): { room: string; level: number } {
  const [, first = '', ...rest] = file.split('/');
  if (rest.length > 0) return { room: first, level: levels.findIndex((level) => level.includes(first)) };
  return foundation.includes(first) ? { room: 'foundation', level: -1 } : { room: 'assembly', level: levels.length };
}

const statement = [
  String.raw`SELECT\s[^;]{0,400}?\sFROM\s`,
  String.raw`(?:INSERT|REPLACE)\s+(?:OR\s+\w+\s+)?INTO\s`,
  String.raw`UPDATE\s+(?:OR\s+\w+\s+)?\w+\s+SET\s`,
  String.raw`DELETE\s+FROM\s`,
  String.raw`WITH\s+(?:RECURSIVE\s+)?\w+\s*(?:\([^)]*\)\s*)?AS\s*\(`,
  String.raw`(?:CREATE|DROP|ALTER)\s+(?:TEMP\s+)?(?:UNIQUE\s+)?(?:TABLE|INDEX|VIEW|TRIGGER)\s`,
  String.raw`PRAGMA\s+\w`,
].join('|');
/** A string in any quotes and any case that begins or continues an SQL statement. */
const sqlText = new RegExp(`['"\`]\\s*(?:${statement})`, 'i');
const sqlInside =
  /\b(?:SELECT\s[^;]*\sFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WHERE\s+[\w.]+\s*(?:=|<|>|IN\b|IS\b))/;

/** Whether a source file has SQL in one of its strings. */
export function holdsSql(text: string): boolean {
  return sqlText.test(text) || sqlInside.test(text);
}

const mostLines = 300;

/** Whether a file is longer than allowed and its first comment does not say why (`Long because ..`). */
export function isTooLong(text: string): boolean {
  if (text.split('\n').length - 1 <= mostLines) return false;
  const [firstComment = ''] = /\/\*[\s\S]*?\*\/|(?:^\/\/.*\n)+/m.exec(text) ?? [];
  return !firstComment.includes('Long because');
}

const fileSystem = String.raw`(?:node:)?fs(?:\/promises)?`;
const fileSystemImport = new RegExp(
  String.raw`^(?:import|export)\s+(?!type\s)([\w$*{}\s,]+?)\sfrom\s+'${fileSystem}'`,
  'gm',
);
const fileSystemAtRunTime = new RegExp(String.raw`\b(?:import|require)\(\s*['"\`]${fileSystem}['"\`]\s*\)`);
const openingName =
  /^(?:open(?!dir)|mkdir|mkdtemp|createWriteStream|writeFile|appendFile|copyFile|cp|rename|chmod|lchmod|chown|lchown|link|symlink|truncate)/;

/**
 * What a source file takes from `node:fs` to open, make, write, move or change files by their paths; `*` for all of it,
 * where the names cannot be seen.
 */
export function openersIn(text: string): string[] {
  const clauses = [...text.matchAll(fileSystemImport)].map(([, clause = '']) => clause.trim());
  const names = clauses.flatMap((clause) => {
    const [, named] = /^\{([^}]*)\}$/.exec(clause) ?? [];
    if (named === undefined) return ['*'];
    const imported = named.split(',').map((part) => part.trim());
    return imported
      .filter((part) => part !== '' && !part.startsWith('type '))
      .map((part) => part.split(/\s+as\s+/)[0] ?? '')
      .filter((name) => openingName.test(name) || name === 'default' || name === 'promises');
  });
  return fileSystemAtRunTime.test(text) ? [...names, '*'] : names;
}
