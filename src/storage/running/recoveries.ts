/** Which workflows recover by themselves, how often they have, and when the next recovery is due. */
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from './due.ts';

/** As a person has set it, and how far it is. Instants in milliseconds UTC. */
export interface Recovery {
  workflowKey: number;
  maxRecoveries: number;
  memoryFactor: number;
  runtimeFactor: number;
  retryUnknown: boolean;
  /** Since a person has set it. */
  numRecoveries: number;
  /** Jobs that had succeeded at the last one. */
  numSucceeded: number;
  /** How many of the last ones were followed by no further success. */
  numWithoutGain: number;
  /** Null while none is due. */
  nextAt: number | null;
  /** When nodes for the jobs of the last one are asked for; null for no more. */
  nodesAt: number | null;
}

const columns = `workflow_key AS workflowKey, max_recoveries AS maxRecoveries, memory_factor AS memoryFactor,
  runtime_factor AS runtimeFactor, retry_unknown AS retryUnknown, num_recoveries AS numRecoveries,
  num_succeeded AS numSucceeded, num_without_gain AS numWithoutGain, next_at AS nextAt, nodes_at AS nodesAt`;

type Row = Omit<Recovery, 'retryUnknown'> & { retryUnknown: number };

/** Null for a workflow that does not recover by itself. */
export function findRecovery(tx: Transaction, workflowKey: number): Recovery | null {
  const row = tx.db.get<Row>(`SELECT ${columns} FROM recoveries WHERE workflow_key = ?`, workflowKey);
  return row === undefined ? null : { ...row, retryUnknown: row.retryUnknown === 1 };
}

/** Whether a recovery of the workflow is due or about to be: its failed run is not the last one. */
export function isRecovering(tx: Transaction, workflowKey: number): boolean {
  return findRecovery(tx, workflowKey)?.nextAt != null;
}

/** The workflows with something that is due by now. */
export function recoveriesDue(tx: Transaction): number[] {
  const sql = 'SELECT workflow_key AS key FROM recoveries WHERE next_at <= ? OR nodes_at <= ? ORDER BY workflow_key';
  return tx.db.all<{ key: number }>(sql, tx.now, tx.now).map(({ key }) => key);
}

/** How many workflows have a recovery or its nodes to come. */
export function countRecovering(tx: Transaction): number {
  const sql = 'SELECT count(*) AS n FROM recoveries WHERE next_at IS NOT NULL OR nodes_at IS NOT NULL';
  return tx.db.get<{ n: number }>(sql)?.n ?? 0;
}

type Instants = Pick<Recovery, 'nextAt' | 'nodesAt'>;

/** Stores what is due when, with the row that wakes the server. */
export function setInstants(tx: Transaction, workflowKey: number, { nextAt, nodesAt }: Instants): void {
  const sql = 'UPDATE recoveries SET next_at = ?, nodes_at = ? WHERE workflow_key = ?';
  tx.db.run(sql, nextAt, nodesAt, workflowKey);
  wakeAt(tx, workflowKey, nextAt ?? nodesAt);
}

function wakeAt(tx: Transaction, workflowKey: number, dueAt: number | null): void {
  const subject = { kind: 'recover', subjectKey: workflowKey } as const;
  if (dueAt === null) removeDue(tx, subject);
  else setDue(tx, { ...subject, workflowKey, dueAt });
}

/** The server is woken again if this time it does not get to it: a process that cannot recover has taken the row. */
const againMs = 60_000;

/** Its time has come. */
export function announceRecovery(tx: Transaction, workflowKey: number): void {
  wakeAt(tx, workflowKey, tx.now + againMs);
  tx.tell({ kind: 'recover_due', workflowKey });
}
