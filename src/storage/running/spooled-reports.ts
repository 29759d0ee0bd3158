/** Reports that a worker left on disk: the same checks apply as to those of an exchange. */
import type { ReportAnswer } from '../../api/contract.ts';
import type { SpooledReport } from '../../api/spool.ts';
import { type Transaction, TransactionLost } from '../database/transaction.ts';
import { recordFinish, recordReturn } from './attempts.ts';
import { findComputeNode } from './compute-nodes.ts';

/** Applies one report; one that cannot be stored is undone and kept as an event. */
export function takeSpooled(tx: Transaction, workerId: string, report: SpooledReport): ReportAnswer['answer'] {
  const node = findComputeNode(tx, workerId);
  if (node === null) return 'rejected';
  try {
    return tx.savepoint(() => {
      if (report.finished === null) return recordReturn(tx, node, report.attempt);
      return recordFinish(tx, node, {
        ...report.finished,
        attempt: report.attempt,
        start_age_ms: report.started_at_ms === null ? null : Math.max(0, tx.now - report.started_at_ms),
        age_ms: Math.max(0, tx.now - report.ended_at_ms),
      });
    });
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const data = { attempt: report.attempt, report: 'spooled', message };
    tx.event({ workflowKey: node.workflowKey, type: 'report_rejected', data });
    return 'rejected';
  }
}
