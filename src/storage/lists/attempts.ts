/** Attempts with the places of their output, for the story of a job and for many jobs at once. */
import { columns, type ListDefinition } from './columns.ts';
import { definitions } from './list-definitions.ts';
import { placeColumns, seriesColumns } from './log-places.ts';

/** Every attempt, also one without a result: the columns of results, and what is known before the result. */
export const attempts: ListDefinition = {
  ...definitions.results,
  columns: [
    ...definitions.results.columns.map((column) =>
      column.name === 'cause' ? { ...column, sql: 'coalesce(a.cause, a.lost_cause)' } : column,
    ),
    ...columns('instant', ['claim_time', 'a.claimed_at']),
    ...columns('text', ['stop_reason', 'a.stop_reason']),
    ...columns('json', ['diagnosis', 'a.diagnosis']),
    ...placeColumns,
    ...seriesColumns,
  ],
  where: '1',
};
