/** The files of an RO-Crate, written into a folder or into one zip file. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { type NewFile, newFile } from '../../base/trusted/shared.ts';
import type { Context } from '../context/context.ts';
import { cannotWrite } from '../output/written-file.ts';
import { batched, writePieces } from './export-document.ts';

/** Its pieces are made while they are written: those of a file when the one before is complete. */
export interface CrateFile {
  name: string;
  pieces: () => AsyncIterable<string>;
}

function isZip(path: string): boolean {
  return path.endsWith('.zip');
}

export function refuseUsed(path: string): void {
  if (!existsSync(path) || (!isZip(path) && isEmptyFolder(path))) return;
  const hint = isZip(path) ? 'Name a file that does not exist.' : 'Name a folder that does not exist, or is empty.';
  throw new TorcError('conflict', `${path} already exists`, hint);
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    return false;
  }
}

export async function writeCrateFiles(context: Context, path: string, files: readonly CrateFile[]): Promise<void> {
  if (isZip(path)) {
    await writeZip(path, files, new Date(context.clock.now()));
    return;
  }
  try {
    makeFolders(path);
  } catch (error) {
    throw new TorcError('usage', `cannot make ${path}: ${asTorcError(error).message}`, null, { cause: error });
  }
  for (const { name, pieces } of files) await writePieces(context, join(path, name), pieces());
}

async function writeZip(path: string, files: readonly CrateFile[], mtime: Date): Promise<void> {
  const { ZipFile } = await import('yazl');
  let written: NewFile | null = null;
  try {
    written = newFile(path);
    const zip = new ZipFile();
    const packed = zip.outputStream as Readable;
    const fail = (error: Error) => packed.destroy(error);
    zip.on('error', fail);
    for (const { name, pieces } of files) {
      zip.addReadStreamLazy(name, { mtime }, (give) => {
        give(null, Readable.from(batched(pieces()), { objectMode: false }).on('error', fail));
      });
    }
    zip.end();
    for await (const bytes of packed) written.write(bytes as Buffer);
    written.finish();
  } catch (error) {
    written?.discard();
    throw cannotWrite(path, error);
  }
}
