/** The list of events. */
import { jobStatuses } from '../../../model/status.ts';
import { columns, type ListDefinition, word } from '../columns.ts';

export const events: ListDefinition = {
  columns: [
    ...columns('key', 'event_key'),
    ...columns('instant', ['timestamp', 'at']),
    ...columns('key', 'workflow_key', 'job_key'),
    ...columns('text', 'type'),
    word(jobStatuses, 'old_status'),
    word(jobStatuses, 'new_status'),
    ...columns('json', 'data'),
  ],
  from: 'events',
  where: '1',
  workflow: 'workflow_key',
  key: 'event_key',
};
