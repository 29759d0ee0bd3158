/** This host as a source of evidence: Slurm's commands, processes, files. */
import { closeSync, constants, existsSync, fstatSync, readdirSync, readSync, rmdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readSpool } from '../../api/spool.ts';
import { currentUser } from '../../base/config.ts';
import { systemCode } from '../../base/errors.ts';
import { type WorkerPaths, workerPaths } from '../../base/paths.ts';
import { isProcessAlive } from '../../base/proc.ts';
import { syncFolder } from '../../base/trusted/folders.ts';
import { isPrivateFile, makePrivateFolder, openPrivateFile, overwritePrivateFile } from '../../base/trusted/private.ts';
import { systemSlurm } from '../../slurm/commands.ts';
import { slurmOutputDirectory } from '../../slurm/script.ts';
import type { Machine } from '../context.ts';
import { processesOf, readSystemFile, signalProcesses } from './processes.ts';

const tailBytes = 64 * 1024;

/** This host, for the server of this directory. */
export function systemMachine(directory: string): Machine {
  return {
    slurm: systemSlurm(),
    hostname: hostname(),
    bootId: readSystemFile('/proc/sys/kernel/random/boot_id')?.trim() ?? '',
    isProcessAlive,
    processesOf,
    signal: signalProcesses,
    slurmOutput: (name) => readTail(join(slurmOutputDirectory(directory), name)),
    readSpool: (workerId) => readSpool(workerPaths(directory, workerId).spoolPath),
    spooledWorkers: () => spooledWorkers(directory),
    removeSpool: (workerId) => removeSpool(workerPaths(directory, workerId)),
    hasStopFile: (workerId) => isPrivateFile(workerPaths(directory, workerId).stopPath),
    writeStopFile(workerId) {
      const paths = workerPaths(directory, workerId);
      makePrivateFolder(paths.directory);
      overwritePrivateFile(paths.stopPath, '');
    },
    userName,
  };
}

function spooledWorkers(directory: string): string[] {
  const folder = join(directory, 'workers');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => /^[0-9a-f]{32}$/.test(name) && existsSync(join(folder, name, 'spool'))).sort();
}

function removeSpool({ directory, spoolPath }: WorkerPaths): void {
  rmSync(spoolPath, { force: true });
  syncFolder(directory);
  try {
    rmdirSync(directory);
  } catch (error) {
    // the file that tells the worker to stop is there
    if (systemCode(error) !== 'ENOTEMPTY') throw error;
  }
}

function readTail(path: string): string | null {
  let file: number | null = null;
  try {
    file = openPrivateFile(path, constants.O_RDONLY);
    const size = fstatSync(file).size;
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    const length = readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, length);
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}

function userName(uid: string): string | null {
  if (uid === String(process.getuid?.())) return currentUser();
  const line = readSystemFile('/etc/passwd')
    ?.split('\n')
    .find((entry) => entry.split(':')[2] === uid);
  return line?.split(':')[0] ?? null;
}
