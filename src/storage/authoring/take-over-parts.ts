/** The named parts of a specification that a resume takes over: requirements, handlers, Slurm configs, and how jobs are ordered. */
import { isDeepStrictEqual } from 'node:util';
import type { ChangedField, Request } from '../../api/contract.ts';
import { type NotificationRule, shownTarget } from '../../model/notification.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape, rankShapes } from '../running/added-shapes.ts';
import { storeLimit } from '../running/limits.ts';
import { fromDataOf, storeFromData } from '../running/needs-from-data.ts';
import { notificationRules, replaceRules } from '../running/notifications.ts';
import { setRequirementsShape } from '../running/own-requirements.ts';
import { failureHandlers, storeFailureHandlers } from '../running/retries.ts';
import { needOf, plainRequest } from '../running/shapes.ts';
import { setNeedsAgain } from './needs-again.ts';
import { followRequirements, resourceDifferences } from './requirements-modification.ts';
import { slurmConfigChanges, storeSlurmConfig } from './slurm-configs.ts';
import { requestedNeed, statedRules } from './workflow-creation.ts';

type Wanted = Omit<Request<'workflow_create_begin'>, `num_${string}` | 'actions'>;

/** Parts that the specification no longer has stay: jobs that named them name others now. */
export function takeOverParts(tx: Transaction, workflowKey: number, wanted: Wanted): ChangedField[] {
  return [
    ...ordering(tx, workflowKey, wanted),
    ...limits(tx, workflowKey, wanted.limits ?? []),
    ...wanted.requirements.flatMap((part) => requirements(tx, workflowKey, part)),
    ...handlers(tx, workflowKey, wanted.failure_handlers),
    ...wanted.slurm_configs.flatMap((part) => slurmConfig(tx, workflowKey, part)),
    ...notifications(tx, workflowKey, wanted),
  ];
}

function ordering(tx: Transaction, workflowKey: number, wanted: Wanted): ChangedField[] {
  const sql = 'SELECT jobs_sort_method, sample_interval_ms FROM workflows WHERE workflow_key = ?';
  const before = tx.db.get(sql, workflowKey) ?? {};
  const seconds = wanted.sample_interval_seconds;
  const after = {
    jobs_sort_method: wanted.jobs_sort_method,
    sample_interval_ms: seconds === null ? null : Math.round(seconds * 1000),
  };
  const changed = (['jobs_sort_method', 'sample_interval_ms'] as const).filter((key) => before[key] !== after[key]);
  for (const column of changed) {
    tx.db.run(`UPDATE workflows SET ${column} = ? WHERE workflow_key = ?`, after[column], workflowKey);
  }
  if (changed.includes('jobs_sort_method')) rankShapes(tx, workflowKey);
  return changed.map((field) => ({ field, old_value: before[field], new_value: after[field] }));
}

/** Limits that the specification no longer has are gone: their jobs name others now, or the shared ones of that name. */
function limits(tx: Transaction, workflowKey: number, wanted: NonNullable<Wanted['limits']>): ChangedField[] {
  const sql = 'SELECT name, maximum FROM limits WHERE workflow_key = ?';
  const before = new Map(
    tx.db.all<{ name: string; maximum: number }>(sql, workflowKey).map(({ name, maximum }) => [name, maximum]),
  );
  const after = new Map(wanted.map(({ name, maximum }) => [name, maximum]));
  const names = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => before.get(name) !== after.get(name),
  );
  for (const name of names) storeLimit(tx, { workflowKey, name, maximum: after.get(name) ?? null });
  return names.map((name) => {
    return { field: `limits ${name}`, old_value: before.get(name) ?? null, new_value: after.get(name) ?? null };
  });
}

function requirements(tx: Transaction, workflowKey: number, part: Wanted['requirements'][number]): ChangedField[] {
  if (part.name === null) return [];
  const sql = 'SELECT resource_requirements_key AS key FROM resource_requirements WHERE workflow_key = ? AND name = ?';
  const known = tx.db.get<{ key: number }>(sql, workflowKey, part.name);
  const need = requestedNeed(part);
  const field = `resource_requirements ${part.name}`;
  if (known === undefined) {
    const insert = 'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, ?, ?)';
    const { key } = tx.db.run(insert, workflowKey, part.name, addShape(tx, workflowKey, plainRequest(need)));
    storeFromData(tx, workflowKey, key, part.from_data ?? null);
    return [{ field, old_value: null, new_value: 'new' }];
  }
  const [before, after] = [fromDataOf(tx, known.key), part.from_data ?? null];
  const changes = resourceDifferences(needOf(tx, known.key), need);
  if (!isDeepStrictEqual(before, after)) {
    storeFromData(tx, workflowKey, known.key, after);
    changes.push({ field: 'from_data', old_value: before, new_value: after });
  }
  if (changes.length === 0) return [];
  setRequirementsShape(tx, known.key, addShape(tx, workflowKey, plainRequest(need)));
  for (const step = followRequirements(workflowKey, known.key); !step(tx); );
  if (after !== null) setNeedsAgain(tx, workflowKey, known.key);
  return changes.map((change) => ({ ...change, field: `${field} ${change.field}` }));
}

function handlers(tx: Transaction, workflowKey: number, wanted: Wanted['failure_handlers']): ChangedField[] {
  const known = new Map(failureHandlers(tx, workflowKey).map((handler) => [handler.name, handler]));
  return wanted.flatMap((handler): ChangedField[] => {
    const before = known.get(handler.name);
    const field = `failure_handlers ${handler.name}`;
    if (before === undefined) {
      storeFailureHandlers(tx, workflowKey, [handler]);
      return [{ field, old_value: null, new_value: 'new' }];
    }
    if (isDeepStrictEqual(before, handler)) return [];
    tx.db.run(
      'UPDATE failure_handlers SET rules = ?, is_plain = ? WHERE workflow_key = ? AND name = ?',
      JSON.stringify(handler.rules),
      handler.is_plain === true ? 1 : 0,
      workflowKey,
      handler.name,
    );
    return [{ field: `${field} rules`, old_value: before.rules, new_value: handler.rules }];
  });
}

/** A specification that says nothing about notifications leaves them as they are. */
function notifications(tx: Transaction, workflowKey: number, wanted: Wanted): ChangedField[] {
  if (wanted.notifications === undefined) return [];
  const before = notificationRules(tx, workflowKey).map(({ notificationKey: _, ...rule }) => rule);
  const after = statedRules(wanted.notifications);
  if (isDeepStrictEqual(before, after)) return [];
  replaceRules(tx, workflowKey, after);
  const shown = (rules: readonly NotificationRule[]) =>
    rules.map((rule) => `${rule.events.join(',')}: ${shownTarget(rule)}`);
  return [{ field: 'notifications', old_value: shown(before), new_value: shown(after) }];
}

function slurmConfig(tx: Transaction, workflowKey: number, config: Wanted['slurm_configs'][number]): ChangedField[] {
  const field = `slurm_schedulers ${config.name}`;
  const changes = slurmConfigChanges(tx, workflowKey, config);
  if (changes !== null) return changes.map((change) => ({ ...change, field: `${field} ${change.field}` }));
  storeSlurmConfig(tx, workflowKey, config);
  return [{ field, old_value: null, new_value: 'new' }];
}
