/** The files of the page, which the build makes of `src/page`. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { packageDirectory } from '../../base/version.ts';

export interface PageFile {
  type: string;
  body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/** By name. Throws TorcError 'not_found' when they are not installed. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  const folder = join(packageDirectory(), 'dist', 'page');
  try {
    const names = readdirSync(folder).filter((name) => extname(name) in types);
    return new Map(
      names.map((name) => [name, { type: types[extname(name)] ?? '', body: readFileSync(join(folder, name)) }]),
    );
  } catch (error) {
    throw new TorcError('not_found', `the files of the dashboard are missing from ${folder}`, 'Install torc again.', {
      cause: error,
    });
  }
}
