/** Starting the process of a job, in one of two ways: by this process itself, or through a small helper. */

export interface SpawnRequest {
  /** What `bash -c` runs. */
  text: string;
  /** Made with their folders, and emptied, before it runs. */
  stdoutPath: string;
  stderrPath: string;
  /** Set over what the spawner gives to all. */
  variables: Record<string, string>;
}

/** How a process ended that was waited for. */
export interface ProcessEnd {
  /** Both null: it cannot be learned. */
  exitCode: number | null;
  signal: number | null;
  /** Processor time of it and of all that it had waited for; null when it cannot be told apart from others. */
  cpuMs: number | null;
  /** Its group has no other member, zombies included. False also when nobody has looked. */
  isGroupGone: boolean;
}

/** Either `failed` alone (perhaps after `started`), or `started` and later `exited`. */
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

/** What jobs add to the score by which the kernel chooses whom to kill when memory runs out. */
export const jobOomScore = 500;

/** After `--` a command may begin with a dash. */
export const shell = { file: 'bash', options: ['-c', '--'] } as const;
