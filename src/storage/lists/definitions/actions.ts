/** The list of actions, each with its firings. */
import { actionTypes, triggerTypes } from '../../../model/expanded.ts';
import { columns, type ListDefinition, word } from '../columns.ts';

/** Firings of the action in the row; a firing that is only reserved for a worker does not count. */
const firingsOfAction = `FROM action_firings g WHERE g.action_key = a.action_key AND g.state <> 'reserved'`;

/** The commands, or the Slurm config and the number of allocations. */
const actionWords = `CASE a.action_type
  WHEN 'run_commands' THEN (SELECT group_concat(value, '; ') FROM json_each(a.definition, '$.commands'))
  ELSE coalesce(json_extract(a.definition, '$.scheduler') || ' x ' || json_extract(a.definition, '$.num_allocations'),
    'a worker on this host') END`;

/** The newest firings of the action in the row. */
const firingsJson = `(SELECT json_group_array(json_object('firing_key', CAST(firing_key AS TEXT), 'run_id', run_id,
    'occurrence', occurrence, 'state', state, 'compute_node_key', CAST(compute_node_key AS TEXT),
    'num_attempts', num_attempts, 'fired_at', strftime('%Y-%m-%dT%H:%M:%fZ', fired_at / 1000.0, 'unixepoch'),
    'ended_at', strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch'), 'result', json(result), 'error', error))
  FROM (SELECT * ${firingsOfAction} ORDER BY g.firing_key DESC LIMIT 100))`;

export const actions: ListDefinition = {
  columns: [
    ...columns('key', ['action_key', 'a.action_key'], ['workflow_key', 'a.workflow_key']),
    word(triggerTypes, 'trigger_type', 'a.trigger_type'),
    word(actionTypes, 'action_type', 'a.action_type'),
    ...columns('flag', ['persistent', 'a.is_persistent']),
    ...columns('integer', ['num_jobs', 'a.num_jobs'], ['num_jobs_awaited', 'a.num_unmet']),
    ...columns('integer', ['run_id', 'f.run_id']),
    ...columns('text', ['state', 'f.state']),
    ...columns('integer', ['num_firings', `(SELECT count(*) ${firingsOfAction})`]),
    ...columns('integer', ['num_failed', `(SELECT count(*) ${firingsOfAction} AND g.state = 'failed')`]),
    ...columns('text', ['what', actionWords], ['error', 'f.error']),
    ...columns('json', ['definition', 'a.definition'], ['firings', firingsJson]),
  ],
  from: `actions a LEFT JOIN action_firings f ON f.firing_key = (SELECT max(g.firing_key) ${firingsOfAction})`,
  where: '1',
  workflow: 'a.workflow_key',
  key: 'a.action_key',
};
