/** A real cgroup with a memory limit, of version 1 or 2, whichever counts memory here. Only root can make one. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MemoryCgroup {
  version: 1 | 2;
  /** A command of the shell that moves its own process, and what it starts, into the cgroup. */
  enter: string;
  remove(): void;
}

/** Null, with a warning, where there can be none. */
export function memoryCgroup(limitBytes: number): MemoryCgroup | null {
  const [first, second] = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'] as const;
  const version = existsSync(join(first, 'memory.limit_in_bytes')) ? 1 : 2;
  const folder = join(version === 1 ? first : second, `torc-test-${process.pid}`);
  try {
    if (version === 2) writeFileSync(join(second, 'cgroup.subtree_control'), '+memory');
    mkdirSync(folder);
    writeFileSync(join(folder, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), `${limitBytes}`);
    readFileSync(join(folder, version === 1 ? 'memory.oom_control' : 'memory.events'));
  } catch (error) {
    if (existsSync(folder)) rmdirSync(folder);
    const why = error instanceof Error ? error.message : String(error);
    console.warn(`\n!! No cgroup can be made here (${why}): the test of the kernel's OOM KILLER is SKIPPED.\n`);
    return null;
  }
  return { version, enter: `echo $$ > ${folder}/cgroup.procs`, remove: () => rmdirSync(folder) };
}
