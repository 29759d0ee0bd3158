/**
 * A worker's spool in the simulated world: real lines in the real place, written late and torn when the worker dies.
 */
import { appendFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { spoolLine } from '../../src/api/spool.ts';
import { workerPaths } from '../../src/base/paths.ts';
import type { SpoolWriter } from '../../src/worker/exchange/spool.ts';
import type { Process } from './clock.ts';
import type { Machine } from './machines.ts';
import type { Random } from './random.ts';

export interface SimSpool extends SpoolWriter {
  /** The worker dies: the line being written is cut. */
  tear(): void;
}

export function openSimSpool(directory: string, workerId: string, process: Process, machine: Machine, random: Random) {
  const paths = workerPaths(directory, workerId);
  const pending: string[] = [];
  const write = (text: string): boolean => {
    if (!machine.hasFiles) return false;
    mkdirSync(paths.directory, { recursive: true });
    appendFileSync(paths.spoolPath, text);
    return true;
  };
  const later = <T>(work: () => T): Promise<T> =>
    new Promise((resolve) => {
      process.clock.after(random.spread(1, 800), () => resolve(work()));
    });
  let last: Promise<boolean> = Promise.resolve(true);
  const spool: SimSpool = {
    append(reports) {
      if (reports.length === 0) return last;
      const text = reports.map(spoolLine).join('');
      pending.push(text);
      last = last.then(() =>
        later(() => {
          pending.shift();
          return write(text);
        }),
      );
      return last;
    },
    async remove() {
      await last;
      await later(() => {
        if (machine.hasFiles && existsSync(paths.spoolPath)) rmSync(paths.spoolPath);
      });
    },
    tear() {
      const [text] = pending;
      if (text !== undefined && random.chance(0.5)) write(text.slice(0, random.int(0, text.length - 1)));
      pending.length = 0;
    },
  };
  return spool;
}
