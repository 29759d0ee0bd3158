/** The list of events: everything that happened, in the order of commits. */
import { TorcError } from '../../../base/errors.ts';
import { quoted } from '../../../model/spec/names.ts';
import { jobStatuses } from '../../../model/status.ts';
import { isUnsuccessfulSql } from '../../running/attempt-sets.ts';
import { type Column, type Condition, columns, findable, type ListDefinition, word } from '../columns.ts';

/** The order of commits is (event_key, position): 0 is an event with a row of its own, 1 and above are the moves of a row. */
const rows = `SELECT e.event_key, CASE WHEN m.value IS NULL THEN 0 ELSE m.key + 1 END AS position, m.value AS move, substr(m.value, -1) AS letter, e.workflow_key, e.type AS row_type
  FROM events e CROSS JOIN json_each(CASE e.type WHEN 'job_moves' THEN e.data ELSE '[null]' END) m`;

/** Keys of events, also several with commas between: 118 is the whole row 118, 118.4 its fourth move. */
function matchesKey(value: string): Condition {
  const keys = value.split(',').map((key) => /^([0-9]{1,15})(?:\.([0-9]{1,6}))?$/.exec(key.trim()));
  if (keys.includes(null)) {
    const message = `event_key must be the key of an event, such as 118 or 118.4, not ${quoted(value)}`;
    throw new TorcError('usage', message, 'Write several with commas between them: 118,120.4');
  }
  const wanted = JSON.stringify(keys.map((key) => [Number(key?.[1]), key?.[2] === undefined ? null : Number(key[2])]));
  const sql = `h.event_key IN (SELECT value ->> 0 FROM json_each(?)) AND EXISTS (SELECT 1 FROM json_each(?) wanted
    WHERE wanted.value ->> 0 = h.event_key AND (wanted.value ->> 1 IS NULL OR wanted.value ->> 1 = h.position))`;
  return { sql, values: [wanted, wanted] };
}

/** By the row, before its moves are unpacked. */
function matchesType(type: string): Condition {
  if (type === 'job_status') return { sql: `h.row_type IN ('job_status', 'job_moves')`, values: [] };
  return { sql: `h.row_type = ? AND h.row_type <> 'job_moves'`, values: [type] };
}

/** What moves leave and reach; other statuses have rows of their own. */
const leftByMoves: readonly unknown[] = ['ready', 'submitted_pending', 'submitted'];
const reachedByMoves: readonly unknown[] = ['submitted_pending', 'submitted', 'done'];

function leaving(workflowKey: number, statuses: readonly unknown[]): Condition | null {
  if (statuses.some((status) => leftByMoves.includes(status))) return null;
  return ownRows('old_status', workflowKey, statuses);
}

function reaching(workflowKey: number, statuses: readonly unknown[]): Condition | null {
  if (statuses.some((status) => reachedByMoves.includes(status))) return null;
  const own = ownRows('new_status', workflowKey, statuses);
  const ends = `SELECT a.end_event FROM attempts a WHERE a.workflow_key = ? AND ${isUnsuccessfulSql}
    AND a.end_status IN (SELECT value FROM json_each(?))`;
  return { sql: `${own.sql} UNION ALL ${ends}`, values: [...own.values, workflowKey, JSON.stringify(statuses)] };
}

function ownRows(column: string, workflowKey: number, statuses: readonly unknown[]): Condition {
  const sql = `SELECT event_key FROM events WHERE workflow_key = ? AND ${column} IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(statuses)] };
}

const eventColumns: Column[] = [
  {
    name: 'event_key',
    kind: 'text',
    sql: `CASE h.position WHEN 0 THEN CAST(h.event_key AS TEXT) ELSE h.event_key || '.' || h.position END`,
    order: 'h.event_key',
    matches: matchesKey,
  },
  ...columns('instant', ['timestamp', 'e.at']),
  ...columns('key', ['workflow_key', 'h.workflow_key'], ['job_key', 'coalesce(a.job_key, e.job_key)']),
  {
    name: 'type',
    kind: 'text',
    sql: `CASE WHEN h.move IS NULL THEN e.type ELSE 'job_status' END`,
    matches: matchesType,
  },
  word(
    jobStatuses,
    'old_status',
    `CASE h.letter WHEN 'c' THEN 'ready' WHEN 's' THEN 'submitted_pending' WHEN 'f' THEN 'submitted'
      WHEN 'u' THEN 'submitted_pending' ELSE e.old_status END`,
  ),
  word(
    jobStatuses,
    'new_status',
    `CASE h.letter WHEN 'c' THEN 'submitted_pending' WHEN 's' THEN 'submitted' WHEN 'f' THEN a.end_status
      WHEN 'u' THEN a.end_status ELSE e.new_status END`,
  ),
  ...columns('text', ['who', 'e.who']),
  ...columns('json', [
    'data',
    `CASE WHEN h.move IS NULL THEN e.data
      WHEN h.letter IN ('f', 'u') THEN json_object('return_code', a.return_code, 'cause', a.cause) END`,
  ]),
];

export const events: ListDefinition = {
  columns: findable(eventColumns, { old_status: leaving, new_status: reaching }),
  from: `(${rows}) h`,
  joins:
    'CROSS JOIN events e ON e.event_key = h.event_key LEFT JOIN attempts a ON a.attempt_key = CAST(h.move AS INTEGER)',
  where: '1',
  workflow: 'h.workflow_key',
  key: 'h.event_key',
  position: 'h.position',
  narrow: {
    job_key: `h.event_key IN (WITH job (job_key) AS (SELECT ?),
      tries AS (SELECT a.claim_event, a.start_event, a.end_event FROM job CROSS JOIN jobs j ON j.job_key = job.job_key
        CROSS JOIN attempts a ON a.workflow_key = j.workflow_key AND a.job_key = j.job_key)
      SELECT e.event_key FROM job CROSS JOIN events e ON e.job_key = job.job_key
      UNION SELECT claim_event FROM tries UNION SELECT start_event FROM tries UNION SELECT end_event FROM tries)`,
  },
};
