/** What a run of a workflow starts from and makes: declared files as they are now, user data, and which jobs use them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Api, ListName, ListRecord, WorkflowShown } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { counted } from '../../base/text.ts';
import { formatMemory } from '../../base/units.ts';
import type { Context } from '../context/context.ts';
import { listPages } from '../input/list.ts';
import { startProgress } from '../output/progress.ts';
import type { FileFound } from './ro-crate.ts';

export async function* rowsOf(api: Api, list: ListName, key: string): AsyncGenerator<ListRecord> {
  for await (const page of listPages(api, list, key, { filter: [], excludeColumn: [] })) yield* page;
}

/** What a job declares, as names. */
interface Declared {
  input_files: string[];
  output_files: string[];
  input_user_data: string[];
}

export interface Declarations {
  /** By the names of jobs; without those that declare nothing. */
  ofJobs: Map<string, Declared>;
  writtenFiles: Set<string>;
  writtenUserData: Set<string>;
}

export async function declarations(api: Api, workflow_key: string): Promise<Declarations> {
  const ofJobs = new Map<string, Declared>();
  const writtenFiles = new Set<string>();
  const writtenUserData = new Set<string>();
  const limit = 2000;
  for (let skip = 0; ; skip += limit) {
    const page = await api.call('workflow_export', { workflow_key, part: 'jobs', limit, skip });
    for (const { name, input_files, output_files, input_user_data, output_user_data } of page.jobs) {
      for (const file of output_files) writtenFiles.add(file);
      for (const datum of output_user_data) writtenUserData.add(datum);
      if (input_files.length + output_files.length + input_user_data.length === 0) continue;
      ofJobs.set(name, { input_files, output_files, input_user_data });
    }
    if (!page.more) return { ofJobs, writtenFiles, writtenUserData };
  }
}

/** The declared files as they are now; those of one path have one id. An input is what no job writes. */
export async function* foundFiles(
  { context, api, workflow }: { context: Context; api: Api; workflow: WorkflowShown },
  { withHashes, written }: { withHashes: boolean; written: ReadonlySet<string> },
) {
  const base = workflow.base_directory ?? process.cwd();
  const files: { key: unknown; name: string; place: string }[] = [];
  for await (const { file_key, name, path } of rowsOf(api, 'files', workflow.workflow_key)) {
    files.push({ key: file_key, name: String(name), place: resolve(base, String(path)) });
  }
  const writtenPlaces = new Set(files.filter(({ name }) => written.has(name)).map(({ place }) => place));
  const progress = startProgress(context);
  const seen = new Map<string, FileFound>();
  let bytes = 0;
  for (const { key, name, place } of files) {
    const before = seen.get(place);
    const found = before ?? (await lookAt(place, withHashes));
    seen.set(place, found);
    bytes += before === undefined ? (found.bytes ?? 0) : 0;
    progress.update(`read ${counted(seen.size, 'file')}, ${formatMemory(bytes)}`);
    yield { key, name, found, isNew: before === undefined, isInput: !writtenPlaces.has(place) };
  }
  progress.clear();
}

async function lookAt(path: string, withHashes: boolean): Promise<FileFound> {
  const nothing = { isDirectory: false, bytes: null, sha256: null, modifiedAt: null };
  try {
    const stats = await stat(path);
    const isDirectory = stats.isDirectory();
    const id = pathToFileURL(isDirectory && !path.endsWith('/') ? `${path}/` : path).href;
    const modifiedAt = isoInstant(Math.floor(stats.mtimeMs));
    if (!stats.isFile()) return { ...nothing, id, isDirectory, modifiedAt };
    const sha256 = withHashes ? await hashOf(path) : null;
    return { id, isDirectory, bytes: stats.size, sha256, modifiedAt };
  } catch {
    return { ...nothing, id: pathToFileURL(path).href };
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
