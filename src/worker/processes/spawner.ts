/** Starts the process of a job: by this process itself, or through a small helper. */
import type { Step } from '../../slurm/step.ts';

export interface SpawnRequest {
  attempt: number;
  /** What `bash -c` runs. */
  text: string;
  /** Created with their folders, and emptied, before the command runs. */
  stdoutPath: string;
  stderrPath: string;
  /** Added to what the spawner gives to all; these win. */
  variables: Record<string, string>;
  /** What it occupies, as a name: one that ends can leave that to another of the same name. Empty when nothing else can use it. */
  place: string;
  /** The CPUs that it has for itself, as a list such as `0-3,8`; null where it has none. Those of a place go with it. */
  cpus: string | null;
  /** Whether it is bound to them. */
  isBound: boolean;
  /** It runs as a step of the allocation; missing for a process of this worker's own. */
  step?: Step;
  /** The command of a fork server that may start it; missing for a process that needs more than its text. */
  warm?: string;
}

/** How a reaped process ended. */
export interface ProcessEnd {
  /** Both are null when the end is unknown. */
  exitCode: number | null;
  signal: number | null;
  /** Processor time of the process and its reaped descendants; null when it is mixed with that of others. */
  cpuMs: number | null;
  /** The most memory that one of these processes had, with what it shared; null when that was not measured. */
  largestBytes: number | null;
  /** Its group has no other member, not even a zombie. False when that was not checked. */
  isGroupGone: boolean;
  /** A queued process starts in its place; only when nothing is left of its group. */
  isSucceeded: boolean;
  /** How long it ran; null when the spawner did not measure that. */
  ranMs: number | null;
  /** When it ended, on the worker's monotonic clock; null for just now. */
  atMs: number | null;
  /** Of a step only: its id, where that is known, and whether Slurm saw that its memory ran out. */
  step?: string | null;
  isOutOfMemory?: boolean;
}

/** Nothing is known. */
export const unknownEnd: ProcessEnd = {
  exitCode: null,
  signal: null,
  cpuMs: null,
  largestBytes: null,
  isGroupGone: false,
  isSucceeded: false,
  ranMs: null,
  atMs: null,
};

/**
 * Either only `failed` (perhaps after `started`), or `started` and later `exited`. Before that, for a queued process,
 * `placed`; or only `withdrawn`. When the program that starts processes is lost, only `exited` with an unknown end.
 */
export interface SpawnListener {
  /** It starts in the place of this attempt, whose `exited` follows. */
  placed(before: number): void;
  /** It was taken back. */
  withdrawn(): void;
  /** May be called before `spawn` returns. The instant is on the worker's monotonic clock; null for just now. */
  started(pid: number, atMs: number | null): void;
  /** There is no process; `code` is the system's name for the reason. Never called before `spawn` returns. */
  failed(code: string | null, message: string): void;
  exited(end: ProcessEnd): void;
}

/** A process that waits for a place. When it has one already, neither does anything. */
export interface QueuedProcess {
  /** Starts it at once, with these CPUs for itself: there is room. */
  start(cpus: string | null): void;
  /** Takes it back. */
  withdraw(): void;
}

/**
 * Each process leads a session and group of its own, reads from /dev/null, and has a raised oom score, so that the
 * kernel chooses it rather than the worker.
 */
export interface Spawner {
  spawn(request: SpawnRequest, listener: SpawnListener): void;
  /** Starts it by itself in the place of the next process that ends and had the same; null where that is not possible. */
  readonly queue: ((request: SpawnRequest, listener: SpawnListener) => QueuedProcess) | null;
  /** Running processes are left alone. */
  close(): void;
}

/** Added to the score by which the kernel chooses a process to kill when memory runs out. */
export const jobOomScore = 500;

/** After `--` a command may begin with a dash. */
export const shell = { file: 'bash', options: ['-c', '--'] } as const;

/**
 * What the system calls a lack of processes, memory, descriptors (of a process, of the whole node), or files that can be
 * reached: on a node that has lost a file system every job would fail at once, one after the other.
 */
const lacks: Readonly<Record<string, string>> = {
  EAGAIN: 'more processes',
  ENOMEM: 'more memory',
  EMFILE: 'more file descriptors',
  ENFILE: 'more file descriptors',
  EIO: 'access to its files',
  ESTALE: 'access to its files',
  ETIMEDOUT: 'access to its files',
};

/** What a failed start says about the node; null when the node lacks nothing. `code` is the system's name of the reason. */
export function shortageOf(code: string | null, message: string): string | null {
  const what = code === null ? undefined : lacks[code];
  return what === undefined ? null : `no ${what} (${message})`;
}
