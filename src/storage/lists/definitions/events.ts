/** The list of events: everything that happened, in the order of commits. */
import { jobStatuses } from '../../../model/status.ts';
import { columns, type ListDefinition, word } from '../columns.ts';

export const events: ListDefinition = {
  columns: [
    {
      name: 'event_key',
      kind: 'text',
      sql: `CASE h.position WHEN 0 THEN CAST(h.event_key AS TEXT) ELSE h.event_key || '.' || h.position END`,
      order: 'h.event_key',
    },
    ...columns('instant', ['timestamp', 'h.at']),
    ...columns('key', ['workflow_key', 'h.workflow_key'], ['job_key', 'h.job_key']),
    ...columns('text', ['type', 'h.type']),
    word(jobStatuses, 'old_status', 'h.old_status'),
    word(jobStatuses, 'new_status', 'h.new_status'),
    ...columns('json', ['data', 'h.data']),
  ],
  from: 'history h',
  where: '1',
  workflow: 'h.workflow_key',
  key: 'h.event_key',
  position: 'h.position',
  narrow: {
    event_key: 'h.event_key = CAST(? AS INTEGER)',
    job_key: `h.event_key IN (WITH job (job_key) AS (SELECT ?),
      tries AS (SELECT a.claim_event, a.start_event, a.end_event FROM job CROSS JOIN jobs j ON j.job_key = job.job_key
        CROSS JOIN attempts a ON a.workflow_key = j.workflow_key AND a.job_key = j.job_key)
      SELECT e.event_key FROM job CROSS JOIN events e ON e.job_key = job.job_key
      UNION SELECT claim_event FROM tries UNION SELECT start_event FROM tries UNION SELECT end_event FROM tries)`,
  },
};
