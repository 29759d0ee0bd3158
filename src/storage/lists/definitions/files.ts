/** The list of files. */
import { columns, type ListDefinition } from '../columns.ts';

export const files: ListDefinition = {
  columns: [
    ...columns('key', 'file_key', 'workflow_key'),
    ...columns('text', 'name', 'path'),
    ...columns('integer', 'size_bytes'),
    ...columns('instant', 'modified_at'),
  ],
  from: 'files',
  where: '1',
  workflow: 'workflow_key',
  key: 'file_key',
};
