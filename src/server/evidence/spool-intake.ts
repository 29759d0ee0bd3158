/**
 * Takes in what workers spooled while no server answered: the results of a worker that has died since would be lost
 * otherwise. Reports pass the same fence as those of an exchange, so a worker that still lives and repeats them changes
 * nothing.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readSpool, type SpooledReport } from '../../api/spool.ts';
import { systemCode } from '../../base/errors.ts';
import { takeSpooled } from '../../storage/running/spooled-reports.ts';
import type { ServerContext } from '../context.ts';

/** Reads every spool below `workers/` of the server directory; returns how many reports were taken in. */
export async function takeInSpools(context: ServerContext): Promise<number> {
  let taken = 0;
  for (const workerId of spooledWorkers(context.info.directory)) {
    for (const report of readReports(context, workerId)) {
      const answer = await context.write((tx) => takeSpooled(tx, workerId, report));
      if (answer === 'accepted') taken += 1;
    }
  }
  return taken;
}

/** One that cannot be read keeps nobody from starting: the worker that wrote it repeats it as long as it lives. */
function readReports({ info }: ServerContext, workerId: string): SpooledReport[] {
  const path = join(info.directory, 'workers', workerId, 'spool');
  try {
    return readSpool(path).reports;
  } catch (error) {
    info.log.error({ err: error, path }, 'the spool of a worker cannot be read');
    return [];
  }
}

function spooledWorkers(directory: string): string[] {
  try {
    const names = readdirSync(join(directory, 'workers'));
    return names.filter((name) => /^[0-9a-f]{32}$/.test(name)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
