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

/** Either `failed` alone (perhaps after `started`), or `started` and later `exited`. */
export interface SpawnListener {
  /** May be called before `spawn` returns. */
  started(pid: number): void;
  /** There is no process; `code` is the system's name for the reason. Never called before `spawn` returns. */
  failed(code: string | null, message: string): void;
  /**
   * The process has ended and was waited for. Both numbers null: how it ended cannot be learned. `cpuMs`: processor
   * time of it and of all that it had waited for; null when it cannot be told apart from others.
   */
  exited(exitCode: number | null, signal: number | null, cpuMs: number | null): void;
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
