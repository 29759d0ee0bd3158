/** Which stored workflow has an identity: one of a user's at most, from the moment that it is complete. */
import { TorcError } from '../../base/errors.ts';
import { type WorkflowIdentity, workflowHash } from '../../model/identity.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';
import { findWorkflow, statusOf, type Workflow } from '../running/workflows.ts';

interface Stated {
  user: string;
  name: string;
  tool?: string | null | undefined;
  args?: string | null | undefined;
}

/** Null for a workflow that is new each time. */
export function identityOf({ user, name, tool, args }: Stated): WorkflowIdentity | null {
  return args == null ? null : { user, tool: tool ?? name, name, args };
}

export function findIdentity(tx: Transaction, identity: WorkflowIdentity): Workflow | null {
  const sql = 'SELECT workflow_key FROM workflows WHERE user = ? AND identity_hash = ?';
  const row = tx.db.get<{ workflow_key: number }>(sql, identity.user, workflowHash(identity));
  return row === undefined ? null : findWorkflow(tx, row.workflow_key);
}

/** Throws 'conflict' when another workflow has this identity. */
export function refuseKnown(tx: Transaction, identity: WorkflowIdentity | null, except: number | null = null): void {
  const known = identity === null ? null : findIdentity(tx, identity);
  if (identity === null || known === null || known.workflowKey === except) return;
  tx.flushCounts();
  const { workflowKey: key, name } = known;
  const what = `tool ${quoted(identity.tool)}, args ${quoted(identity.args)}`;
  throw new TorcError(
    'conflict',
    `workflow ${key} (${quoted(name)}) already has this identity (${what}); its status is ${statusOf(tx, known)}`,
    `--resume continues it; other --args make a new one; torc workflows delete ${key} removes it.`,
  );
}

/** Gives a workflow the identity that its name, tool and args state; throws 'conflict' when another one has it. */
export function takeIdentity(tx: Transaction, workflowKey: number): void {
  const sql = 'SELECT user, name, tool, args FROM workflows WHERE workflow_key = ?';
  const row = tx.db.get<Stated>(sql, workflowKey);
  const identity = row === undefined ? null : identityOf(row);
  refuseKnown(tx, identity, workflowKey);
  const hash = identity === null ? null : workflowHash(identity);
  tx.db.run('UPDATE workflows SET identity_hash = ? WHERE workflow_key = ?', hash, workflowKey);
}
