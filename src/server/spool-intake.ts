/**
 * Takes in what workers spooled while no server answered: the results of a worker that has died since would be lost
 * otherwise. Reports pass the same fence as those of an exchange, so a worker that still lives and repeats them changes
 * nothing.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readSpool, type SpooledReport } from '../api/spool.ts';
import { systemCode } from '../base/errors.ts';
import { recordFinish, recordReturn } from '../storage/attempts.ts';
import { findComputeNode } from '../storage/compute-nodes.ts';
import type { Transaction } from '../storage/transaction.ts';
import type { Service } from './service.ts';

/** Reads every spool below `workers/` of the server directory; returns how many reports were taken in. */
export async function takeInSpools(service: Service): Promise<number> {
  let taken = 0;
  for (const workerId of spooledWorkers(service.info.directory)) {
    const { reports } = readSpool(join(service.info.directory, 'workers', workerId, 'spool'));
    for (const report of reports) {
      const answer = await service.write((tx) => apply(tx, workerId, report));
      if (answer === 'accepted') taken += 1;
    }
  }
  return taken;
}

function spooledWorkers(directory: string): string[] {
  try {
    return readdirSync(join(directory, 'workers')).filter((name) => /^[0-9a-f]{32}$/.test(name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function apply(tx: Transaction, workerId: string, report: SpooledReport): string {
  const node = findComputeNode(tx, workerId);
  if (node === null) return 'rejected';
  if (report.finished === null) return recordReturn(tx, node, report.attempt);
  return recordFinish(tx, node, {
    ...report.finished,
    attempt: report.attempt,
    start_age_ms: report.started_at_ms === null ? null : Math.max(0, tx.now - report.started_at_ms),
    age_ms: Math.max(0, tx.now - report.ended_at_ms),
  });
}
