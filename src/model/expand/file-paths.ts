/** Paths of declared files: what a shell would expand is expanded once, and a file is its path, whatever its name. */
import { posix } from 'node:path';
import type { ReadText } from '../../base/text-files.ts';
import { quoted } from '../spec/names.ts';

/** Where a workflow is created: what `~` and variables stand for, and where relative paths start. */
export interface PathPlace {
  directory: string;
  home: string;
  variables: Readonly<Record<string, string | undefined>>;
  /** Reads files of values; undefined where none are read. */
  readText?: ReadText | undefined;
}

/** Why a path cannot be expanded, for people. */
export class PathProblem extends Error {}

const variable = /\$(?:\$|\{([^{}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/**
 * A path with `~`, `$NAME` and `${NAME}` replaced, `$$` being a dollar sign; without a place, or when there is nothing
 * to replace, unchanged. Throws PathProblem for variables that are not set and for homes of others.
 */
export function expandPath(path: string, place: PathPlace | null): string {
  if (place === null || (path[0] !== '~' && !path.includes('$'))) return path;
  const isHome = path === '~' || path.startsWith('~/');
  if (path[0] === '~' && !isHome) {
    throw new PathProblem(
      `${quoted(path)} begins with ~: write ./${path} for a file of that name, or the directory in full`,
    );
  }
  return (isHome ? place.home + path.slice(1) : path).replace(variable, (raw, braced?: string, bare?: string) => {
    if (raw === '$$') return '$';
    const name = braced ?? bare ?? '';
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new PathProblem(`${quoted(raw)} in a path is not replaced; only $NAME and \${NAME} are`);
    const value = place.variables[name];
    if (value !== undefined && value !== '') return value;
    throw new PathProblem(
      `the variable ${name} is not set here, where paths are fixed: set it, or write the directory ($$ is a dollar sign)`,
    );
  });
}

const needsNormalizing = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** What identifies a file: its path relative to the directory where it lies below it, otherwise absolute, without detours. */
export function fileIdentity(path: string, directory: string | null): string {
  const isPlain = !needsNormalizing.test(path);
  if (isPlain) return path;
  if (directory === null) return posix.normalize(path).replace(/(?<=.)\/$/, '');
  const whole = posix.resolve(directory, path);
  const prefix = directory === '/' ? '/' : `${directory}/`;
  return whole.startsWith(prefix) ? whole.slice(prefix.length) : whole;
}

/** For each file the first one with the same path; null when all paths differ. */
export function sameFiles(files: readonly { path: string }[], directory: string | null): Int32Array | null {
  const first = new Map<string, number>();
  let same: Int32Array | null = null;
  for (const [number, { path }] of files.entries()) {
    const identity = fileIdentity(path, directory);
    const other = first.get(identity);
    if (other === undefined) first.set(identity, number);
    else {
      same ??= Int32Array.from(files, (_, i) => i);
      same[number] = other;
    }
  }
  return same;
}
