/**
 * Starts processes by node itself. Works everywhere, but each start copies the page tables of this process and waits
 * for the new program, and a process killed by a real-time signal looks like one that succeeded.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { messageOf, systemCode } from '../../base/errors.ts';
import { parseStat } from '../../base/proc.ts';
import { below, openOutput } from '../../base/trusted/shared.ts';
import { jobOomScore, type Spawner, type SpawnListener, type SpawnRequest, shell } from './spawner.ts';

interface Exit {
  listener: SpawnListener;
  pid: number;
  exitCode: number | null;
  signal: number | null;
}

/**
 * `ticksPerSecond` is the unit of processor time in /proc; jobs inherit `environment`. `openFiles` is how many files a
 * job may have open until it asks for more; null for as many as this process. No link of another user is followed below
 * `outputDirectory`.
 */
export function openNodeSpawner(
  ticksPerSecond: number,
  environment: Readonly<Record<string, string | undefined>>,
  openFiles: number | null,
  outputDirectory: string,
): Spawner {
  const score = openOomScore();
  const takeChildTicks = openChildTicks();
  let exits: Exit[] = [];

  /** Processes that end in the same turn of the loop are reaped together: their processor time is one sum. */
  function tellExits(): void {
    const together = exits;
    exits = [];
    const ticks = takeChildTicks();
    const cpuMs = ticks === null || together.length > 1 ? null : (ticks * 1000) / ticksPerSecond;
    for (const { listener, pid, exitCode, signal } of together) {
      const exit = { exitCode, signal, cpuMs, largestBytes: null, isGroupGone: isGroupGone(pid) };
      listener.exited({ ...exit, isSucceeded: false, ranMs: null, atMs: null });
    }
  }

  function start(request: SpawnRequest, files: number[]): ChildProcess {
    files.push(openJobOutput(outputDirectory, request.stdoutPath));
    files.push(openJobOutput(outputDirectory, request.stderrPath));
    const env = { ...environment, ...request.variables };
    const limit = openFiles === null ? '' : `ulimit -Sn ${openFiles} 2>/dev/null; `;
    // `taskset` is not installed everywhere: without it the job runs where it likes
    const bind = request.cpus === null || !request.isBound ? '' : `taskset -pc ${request.cpus} $$ >/dev/null 2>&1; `;
    return score.raised(() =>
      spawn(shell.file, [...shell.options, limit + bind + request.text], {
        detached: true,
        stdio: ['ignore', ...files],
        env,
      }),
    );
  }

  return {
    queue: null,
    spawn(request, listener) {
      const files: number[] = [];
      const fail = (error: unknown): void => listener.failed(systemCode(error), messageOf(error));
      try {
        const child = start(request, files);
        // some failures are thrown, others arrive as an event
        child.on('error', (error) => {
          if (child.pid === undefined) fail(error);
        });
        child.once('exit', (exitCode, name) => {
          const { pid } = child;
          if (pid === undefined) return;
          if (exits.length === 0) setImmediate(tellExits);
          exits.push({ listener, pid, exitCode, signal: name === null ? null : constants.signals[name] });
        });
        if (child.pid !== undefined) listener.started(child.pid, null);
      } catch (error) {
        setImmediate(() => fail(error));
      } finally {
        for (const file of files) closeSync(file);
      }
    },
    close() {},
  };
}

function openJobOutput(outputDirectory: string, path: string): number {
  return path === '/dev/null' ? openSync(path, 'w') : below(outputDirectory, path, true, openOutput);
}

/**
 * A child inherits this process's own score, so the score is raised only while a child is started. A process may raise
 * its score and lower it back to where it was. Where that is forbidden, jobs keep the worker's score.
 */
function openOomScore(): { raised<T>(start: () => T): T } {
  const path = '/proc/self/oom_score_adj';
  try {
    const own = Number(readFileSync(path, 'utf8'));
    if (own >= jobOomScore) return { raised: (start) => start() };
    const file = openSync(path, 'r+');
    writeSync(file, String(own), 0);
    return {
      raised(start) {
        writeSync(file, String(jobOomScore), 0);
        try {
          return start();
        } finally {
          writeSync(file, String(own), 0);
        }
      },
    };
  } catch {
    return { raised: (start) => start() };
  }
}

/** Ticks of all children reaped since the last call; null when the kernel does not say. */
function openChildTicks(): () => number | null {
  const buffer = Buffer.alloc(2048);
  let file: number | null = null;
  const read = (): number | null => {
    try {
      file ??= openSync('/proc/self/stat', 'r');
      const length = readSync(file, buffer, 0, buffer.length, 0);
      return parseStat(buffer.toString('latin1', 0, length))?.childTicks ?? null;
    } catch {
      return null;
    }
  };
  let last = read();
  return () => {
    const now = read();
    const ticks = now === null || last === null ? null : now - last;
    last = now;
    return ticks;
  };
}

/** Whether a process group has no member left, zombies included. */
function isGroupGone(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return false;
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
}
