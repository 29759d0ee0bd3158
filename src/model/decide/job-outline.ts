/**
 * What a job is, and how it is carried out, as short hashes: a workflow that is created again has the same jobs when what
 * they are is equal; how they are carried out may differ.
 */
import { canonicalJson, digest } from '../identity.ts';
import type { Launch } from '../launch.ts';

/** What a job is. */
export interface JobFacts {
  command: string;
  /** The command with its op args left open; null when it has none. */
  identity: string | null;
  invocationScript: string | null;
  /** Where it starts, what it reads and in which image count; variables and output do not. */
  launch: Launch;
  /** Name and path. */
  inputFiles: readonly (readonly [string, string])[];
  outputFiles: readonly (readonly [string, string])[];
  /** Names. */
  inputUserData: readonly string[];
  outputUserData: readonly string[];
  /** Names of jobs that it waits for, and `setHash` of sets of them that it waits for as a whole. */
  upstreams: readonly string[];
  sets: readonly string[];
}

/** What of a job can be another than before. */
export const outlineParts = ['command', 'files', 'user data', 'dependencies'] as const;
type OutlinePart = (typeof outlineParts)[number];

/** One hash for each of `outlineParts`. */
export function jobIdentity(job: JobFacts): string {
  const parts: Record<OutlinePart, readonly unknown[]> = {
    command: [job.identity ?? job.command, job.identity === null, job.invocationScript, ...placeOf(job.launch)],
    files: [inOrder(job.inputFiles), inOrder(job.outputFiles)],
    'user data': [job.inputUserData.toSorted(), job.outputUserData.toSorted()],
    dependencies: [job.upstreams.toSorted(), job.sets.toSorted()],
  };
  return outlineParts.map((part) => partHash(parts[part])).join(' ');
}

/** Nothing for most jobs. */
function placeOf({ cwd, stdin, container }: Launch): object[] {
  const isPlain = cwd === undefined && stdin === undefined && container === undefined;
  return isPlain ? [] : [{ cwd, stdin, container }];
}

/** Two lists or a command: for most jobs the lists are empty. Lists of texts are written alike by any JSON writer. */
function partHash(value: readonly unknown[]): string {
  const isEmpty = value.every((list) => Array.isArray(list) && list.length === 0);
  return isEmpty ? '-' : digest(JSON.stringify(value));
}

/** Jobs may all have variables of their own. */
const mostShared = 10_000;

/** Digests of settings, without what `jobIdentity` has already; jobs with the same settings share one. */
export class SettingsDigests {
  readonly #known = new Map<string, string>();

  of({ command, invocation_script, ...settings }: DigestedSettings): string {
    if (settings.identity !== undefined) return digest(canonicalJson({ ...settings, command }));
    const key = JSON.stringify(settings);
    let found = this.#known.get(key);
    if (found === undefined) {
      found = digest(canonicalJson(settings));
      if (this.#known.size < mostShared) this.#known.set(key, found);
    }
    return found;
  }
}

interface DigestedSettings {
  command: string;
  identity?: string | undefined;
  invocation_script: string | null;
  own_requirements: unknown;
}

function inOrder(files: JobFacts['inputFiles']): JobFacts['inputFiles'] {
  return files.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Of the names of jobs, in any order. */
export function setHash(names: readonly string[]): string {
  return digest(JSON.stringify(names.toSorted()));
}

/** A job of a workflow: what it is, and a hash of its settings. */
export interface JobOutline {
  name: string;
  identity: string;
  settings: string;
}

/** At most this many jobs of a kind are named. */
export const namedDifferences = 20;

export interface JobDifferences {
  numAdded: number;
  numRemoved: number;
  numChanged: number;
  /** The first of each. */
  added: string[];
  removed: string[];
  changed: { name: string; parts: OutlinePart[] }[];
}

/**
 * How the jobs that are wanted differ from the stored ones, and calls `differs` for each that is the same and has other
 * settings. Takes the stored jobs out of the map.
 */
export function compareJobs<T extends JobOutline>(
  stored: Map<string, T>,
  wanted: Iterable<JobOutline>,
  differs: (stored: T) => void,
): JobDifferences {
  const found: JobDifferences = { numAdded: 0, numRemoved: 0, numChanged: 0, added: [], removed: [], changed: [] };
  for (const job of wanted) {
    const before = stored.get(job.name);
    stored.delete(job.name);
    if (before === undefined) {
      found.numAdded += 1;
      if (found.added.length < namedDifferences) found.added.push(job.name);
    } else if (before.identity !== job.identity) {
      found.numChanged += 1;
      const parts = changedParts(before.identity, job.identity);
      if (found.changed.length < namedDifferences) found.changed.push({ name: job.name, parts });
    } else if (before.settings !== job.settings) differs(before);
  }
  found.numRemoved = stored.size;
  for (const name of stored.keys()) {
    if (found.removed.length === namedDifferences) break;
    found.removed.push(name);
  }
  return found;
}

function changedParts(before: string, after: string): OutlinePart[] {
  const [old, now] = [before.split(' '), after.split(' ')];
  return outlineParts.filter((_, part) => old[part] !== now[part]);
}
