/** A person lets a workflow recover by itself, or no longer. */
import type { ChangedField, RecoveryShown, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { defaultFactor, defaultMaxRecoveries } from '../../model/decide/recovery.ts';
import type { Transaction } from '../database/transaction.ts';
import { removeDue } from '../running/due.ts';
import { findRecovery, isRecovering } from '../running/recoveries.ts';
import { getWorkflow, statusOf } from '../running/workflows.ts';
import { giveUpRecovery, recoverAfterEnd, tellCompletion } from '../runs/auto-recovery.ts';

type Settings = NonNullable<Request<'workflow_modify'>['changes']['recovery']>;
type Whole = { [K in keyof Settings]-?: NonNullable<Settings[K]> };

/** What is missing stays as it was, or gets its default. The count starts anew. A run that has failed already is looked at. */
export function setRecovery(tx: Transaction, workflowKey: number, changes: Settings | null): ChangedField[] {
  const before = settingsOf(tx, workflowKey);
  const after = changes === null ? null : { ...defaults, ...before, ...stated(changes) };
  const change = { field: 'recovery', old_value: before, new_value: after };
  if (after === null) return before === null ? [] : turnOff(tx, workflowKey, change);
  const wasDue = isRecovering(tx, workflowKey);
  // what is due stays due
  tx.db.run(
    `INSERT INTO recoveries (workflow_key, max_recoveries, memory_factor, runtime_factor, retry_unknown,
       num_recoveries, num_succeeded, num_without_gain) VALUES (?, ?, ?, ?, ?, 0, 0, 0)
     ON CONFLICT (workflow_key) DO UPDATE SET max_recoveries = excluded.max_recoveries,
       memory_factor = excluded.memory_factor, runtime_factor = excluded.runtime_factor,
       retry_unknown = excluded.retry_unknown, num_recoveries = 0, num_succeeded = 0, num_without_gain = 0`,
    workflowKey,
    after.max_recoveries,
    after.memory_factor,
    after.runtime_factor,
    after.retry_unknown ? 1 : 0,
  );
  tx.flushCounts();
  const workflow = getWorkflow(tx, workflowKey);
  if (workflow.hasEnded) {
    const status = statusOf(tx, workflow);
    // whoever waits for the end of the run learns of it if no recovery follows any more
    if (!recoverAfterEnd(tx, workflowKey, status) && wasDue) tellCompletion(tx, workflowKey, status);
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [change];
}

const defaults = {
  max_recoveries: defaultMaxRecoveries,
  memory_factor: defaultFactor,
  runtime_factor: defaultFactor,
  retry_unknown: false,
} satisfies Whole;

function stated(changes: Settings): Partial<Whole> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

function settingsOf(tx: Transaction, workflowKey: number): Whole | null {
  const found = findRecovery(tx, workflowKey);
  if (found === null) return null;
  return {
    max_recoveries: found.maxRecoveries,
    memory_factor: found.memoryFactor,
    runtime_factor: found.runtimeFactor,
    retry_unknown: found.retryUnknown,
  };
}

function turnOff(tx: Transaction, workflowKey: number, change: ChangedField): ChangedField[] {
  const recovery = findRecovery(tx, workflowKey);
  // whoever waits for the end of the run learns of it
  if (recovery?.nextAt != null) giveUpRecovery(tx, recovery, 'it was turned off');
  removeDue(tx, { kind: 'recover', subjectKey: workflowKey });
  tx.db.run('DELETE FROM recoveries WHERE workflow_key = ?', workflowKey);
  return [change];
}

/** Null for a workflow that does not recover by itself. */
export function showRecovery(tx: Transaction, workflowKey: number): RecoveryShown | null {
  const found = findRecovery(tx, workflowKey);
  const settings = settingsOf(tx, workflowKey);
  if (found === null || settings === null) return null;
  return { ...settings, num_recoveries: found.numRecoveries, next_at: isoInstant(found.nextAt) };
}
