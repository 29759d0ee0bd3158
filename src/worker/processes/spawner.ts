/** Starts the process of a job: by this process itself, or through a small helper. */

export interface SpawnRequest {
  /** What `bash -c` runs. */
  text: string;
  /** Created with their folders, and emptied, before the command runs. */
  stdoutPath: string;
  stderrPath: string;
  /** Added to what the spawner gives to all; these win. */
  variables: Record<string, string>;
  /** The CPUs to which it is bound, as a list such as `0-3,8`; null for those of this process. */
  cpus: string | null;
}

/** How a reaped process ended. */
export interface ProcessEnd {
  /** Both are null when the end is unknown. */
  exitCode: number | null;
  signal: number | null;
  /** Processor time of the process and its reaped descendants; null when it is mixed with that of others. */
  cpuMs: number | null;
  /** Its group has no other member, not even a zombie. False when that was not checked. */
  isGroupGone: boolean;
}

/** Either only `failed` (perhaps after `started`), or `started` and later `exited`. */
export interface SpawnListener {
  /** May be called before `spawn` returns. */
  started(pid: number): void;
  /** There is no process; `code` is the system's name for the reason. Never called before `spawn` returns. */
  failed(code: string | null, message: string): void;
  exited(end: ProcessEnd): void;
}

/**
 * Each process leads a session and group of its own, reads from /dev/null, and has a raised oom score, so that the
 * kernel chooses it rather than the worker.
 */
export interface Spawner {
  spawn(request: SpawnRequest, listener: SpawnListener): void;
  /** Running processes are left alone. */
  close(): void;
}

/** Added to the score by which the kernel chooses a process to kill when memory runs out. */
export const jobOomScore = 500;

/** After `--` a command may begin with a dash. */
export const shell = { file: 'bash', options: ['-c', '--'] } as const;

/** What the system calls a lack of processes, memory, or descriptors (of a process, of the whole node). */
const lacks: Readonly<Record<string, string>> = {
  EAGAIN: 'processes',
  ENOMEM: 'memory',
  EMFILE: 'file descriptors',
  ENFILE: 'file descriptors',
};

/** What a failed start says about the node; null when the node lacks nothing. `code` is the system's name of the reason. */
export function shortageOf(code: string | null, message: string): string | null {
  const what = code === null ? undefined : lacks[code];
  return what === undefined ? null : `no more ${what} (${message})`;
}
