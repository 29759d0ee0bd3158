/**
 * The declared files of one attempt: its inputs as they were when it began, its outputs as they are when it has ended.
 */
import { dirname, resolve } from 'node:path';
import type { AssignedFile, FileState } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { isFileSystemFailure } from '../../base/full-disk.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import type { FileReader, SeenFile } from './file-reader.ts';

/** For one job; more would not fit into a request. Outputs come first. */
const mostStates = 20_000;
/**
 * Network file systems remember for a while that a file was absent, and may fail for a while: then nothing is known about
 * the file.
 */
const missingLimits = { longestMs: 2_000, firstWaitMs: 50, unknownMs: 30_000 };
const lookLimits = { longestMs: 30_000, hurriedMs: 200 };
const hashLimits = { longestMs: 5_000, hurriedMs: 100 };
const namedAtMost = 3;
/** A file server's clock may be off by this much. */
const clockSkewUs = 10_000_000;

interface Entry {
  file: AssignedFile;
  path: string;
  seen: SeenFile | null;
  hash: Promise<string | null> | null;
}

export interface DeclaredFilesDependencies {
  clock: Clock;
  reader: FileReader;
  /** Relative paths start here. */
  directory: string;
  /** Fires when there is no time left to wait. */
  hurry: AbortSignal;
}

export class DeclaredFiles {
  readonly #deps: DeclaredFilesDependencies;
  readonly #inputs: Entry[];
  readonly #outputs: Entry[];
  #beganUs = 0;
  readonly #noMoreHashes = new AbortController();

  constructor(files: readonly AssignedFile[], deps: DeclaredFilesDependencies) {
    this.#deps = deps;
    const entries = files.map((file) => ({
      file,
      path: resolve(deps.directory, file.path),
      seen: null,
      hash: null,
    }));
    this.#outputs = entries.filter(({ file }) => file.is_output);
    const inputs = entries.filter(({ file }) => !file.is_output);
    this.#inputs = inputs.slice(0, Math.max(0, mostStates - this.#outputs.length));
  }

  /** Before the job starts. A folder that cannot be made is the job's to complain about. */
  async lookBefore(createsFolders: boolean): Promise<void> {
    const { reader, clock } = this.#deps;
    const folders = new Set(this.#outputs.map(({ path }) => dirname(path)));
    if (createsFolders) await Promise.all([...folders].map((folder) => reader.makeFolder(folder).catch(() => {})));
    await this.#lookAt(this.#inputs, false);
    this.#beganUs = clock.now() * 1000;
  }

  /** The outputs that have not changed since the job started, as words; null when there are none. */
  untouchedOutputs(): string | null {
    const beforeUs = this.#beganUs - clockSkewUs;
    const untouched = this.#outputs.filter(({ seen }) => seen?.kind === 'there' && isBefore(seen.changedUs, beforeUs));
    if (untouched.length === 0) return null;
    return `its declared output ${namesOf(untouched)}, which was there before`;
  }

  /** Works in the background; a file that changes meanwhile has no hash. */
  hashInputs(): void {
    this.#hash(this.#inputs);
  }

  /**
   * Looks at the outputs, repeatedly when they `must` exist. Returns what the job did wrong, each as the end of a
   * sentence about it.
   */
  async lookAtOutputs(must: boolean): Promise<string[]> {
    const { clock, hurry } = this.#deps;
    await new TimeBudget(clock, hurry, lookLimits).waitFor(this.#lookUntilThere(must), undefined);
    this.#hash(this.#outputs);
    const missing = this.#outputs.filter(({ seen }) => seen?.kind === 'absent');
    const unseen = this.#outputs.filter(({ seen }) => seen === null || seen.kind === 'unknown');
    return [
      ...(missing.length === 0 ? [] : [`did not write its declared output ${namesOf(missing)}`]),
      ...(unseen.length === 0 ? [] : [`has a declared output that cannot be looked at: ${namesOf(unseen)}`]),
    ];
  }

  async #lookUntilThere(must: boolean): Promise<void> {
    const { clock, hurry } = this.#deps;
    const beganMs = clock.monotonic();
    let missing = this.#outputs;
    for (let waitMs = missingLimits.firstWaitMs; ; waitMs *= 2) {
      await this.#lookAt(missing, missing !== this.#outputs);
      missing = missing.filter(({ seen }) => seen?.kind !== 'there');
      const isFailing = missing.some(({ seen }) => seen?.kind === 'unknown' && isFileSystemFailure(seen.code));
      const leftMs = beganMs + missingLimits[isFailing ? 'unknownMs' : 'longestMs'] - clock.monotonic();
      if (missing.length === 0 || !must || hurry.aborted || leftMs <= 0) return;
      const pause = new TimeBudget(clock, hurry, { longestMs: Math.min(waitMs, leftMs), hurriedMs: 0 });
      await pause.waitFor(new Promise<void>(() => {}), undefined);
    }
  }

  async #lookAt(entries: readonly Entry[], isFresh: boolean): Promise<void> {
    const look = async (entry: Entry): Promise<void> => {
      entry.seen = await this.#deps.reader.look(entry.path, isFresh);
    };
    await Promise.all(entries.map(look));
  }

  #hash(entries: readonly Entry[]): void {
    const { reader } = this.#deps;
    for (const entry of entries) {
      // what lies in an output directory is looked at where a job reads it
      if (entry.seen?.kind === 'there' && !(entry.file.is_output && entry.seen.isDirectory)) {
        entry.hash = reader.hash(entry.path, entry.seen, this.#noMoreHashes.signal);
      }
    }
  }

  /** The files that could be looked at. Waits for hashes, but only so long. */
  async states(): Promise<FileState[]> {
    const { clock, hurry } = this.#deps;
    const entries = [...this.#outputs, ...this.#inputs].slice(0, mostStates);
    const hashes = new Map<Entry, string | null>();
    const all = entries.map(async (entry) => hashes.set(entry, await entry.hash));
    if (entries.some((entry) => entry.hash !== null)) {
      await new TimeBudget(clock, hurry, hashLimits).waitFor(
        Promise.all(all).then(() => {}),
        undefined,
      );
    }
    this.#noMoreHashes.abort();
    return entries.flatMap((entry) => {
      const state = fileState(entry, hashes.get(entry) ?? null);
      return state === null ? [] : [state];
    });
  }
}

function namesOf(entries: readonly Entry[]): string {
  const named = entries.slice(0, namedAtMost).map(({ path, seen }) => `${JSON.stringify(path)}${reason(seen)}`);
  return `${named.join(', ')}${entries.length > namedAtMost ? ` and ${entries.length - namedAtMost} more` : ''}`;
}

function isBefore(changedUs: number | null, beforeUs: number): boolean {
  return changedUs !== null && changedUs < beforeUs;
}

function reason(seen: SeenFile | null): string {
  if (seen === null) return ' (the file system does not answer)';
  return seen.kind === 'unknown' ? ` (${seen.code})` : '';
}

/** Null when the file could not be looked at. */
function fileState({ file, seen }: Entry, contentHash: string | null): FileState | null {
  const { file_key, is_output } = file;
  if (seen === null || seen.kind === 'unknown') return null;
  if (seen.kind === 'absent') {
    return { file_key, is_output, size_bytes: -1, modified_us: null, changed_us: null, content_hash: null };
  }
  return {
    file_key,
    is_output,
    size_bytes: seen.sizeBytes,
    modified_us: seen.modifiedUs,
    changed_us: seen.changedUs,
    content_hash: contentHash,
  };
}
