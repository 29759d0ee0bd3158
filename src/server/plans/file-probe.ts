/** Checks the declared files of a workflow, many at a time and without holding up the server. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { requireBaseDirectory } from '../../base/base-directory.ts';
import { directoryDigest } from '../../base/directory-digest.ts';
import { systemCode } from '../../base/errors.ts';
import { absentFile, type FileFacts, fileMicroseconds, needsContent } from '../../model/decide/changes.ts';
import type { DeclaredFile } from '../../storage/running/input-versions.ts';
import type { ServerContext } from '../context.ts';

/** Files checked at the same time, because a network file system takes long to answer. */
const together = 32;

const unknownFile: FileFacts = { sizeBytes: null, modifiedUs: null, changedUs: null, contentHash: null };

/** How each file looks now, by key. A file that cannot be checked although it may exist counts as unchanged. */
export async function probeFiles(files: readonly DeclaredFile[], directory: string): Promise<Map<number, FileFacts>> {
  const facts = new Map<number, FileFacts>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let file = files[next++]; file !== undefined; file = files[next++]) {
      facts.set(file.fileKey, await probeFile(file, resolve(directory, file.path)));
    }
  };
  await Promise.all(Array.from({ length: together }, work));
  return facts;
}

/**
 * The same for the files of a workflow, which has the base directory `directory`. Throws 'not_found' or 'unusable' when
 * that is gone or cannot be read and a file is in it or relative to it: such a file is no more missing than the others.
 */
export async function probeBased(
  { info, onStop }: Pick<ServerContext, 'info' | 'onStop'>,
  { files, directory, workflowKey }: { files: readonly DeclaredFile[]; directory: string; workflowKey: string },
): Promise<Map<number, FileFacts>> {
  const inside = `${resolve(directory)}/`;
  if (files.some(({ path }) => !isAbsolute(path) || resolve(path).startsWith(inside))) {
    const otherHost = `If ${info.hostname} does not have this file system: torc server stop, then torc server start --daemon on a host that has it`;
    await requireBaseDirectory({
      path: directory,
      workflowKey,
      host: info.hostname,
      torc: 'torc',
      ...(onStop === null ? {} : { otherHost }),
    });
  }
  return await probeFiles(files, directory);
}

async function probeFile(file: DeclaredFile, path: string): Promise<FileFacts> {
  try {
    const stats = await stat(path, { bigint: true });
    const { size, mtimeNs, ctimeNs } = stats;
    const facts = {
      sizeBytes: Math.min(Number(size), Number.MAX_SAFE_INTEGER),
      modifiedUs: fileMicroseconds(mtimeNs),
      changedUs: fileMicroseconds(ctimeNs),
      contentHash: null,
    };
    // nothing about a directory itself tells that a file below it has changed
    if (stats.isDirectory() && file.hashed.length > 0) return { ...facts, contentHash: await directoryDigest(path) };
    const isDoubtful = file.hashed.some((before) => needsContent(before, facts));
    return isDoubtful ? { ...facts, contentHash: await hashOf(path) } : facts;
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? absentFile : unknownFile;
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
