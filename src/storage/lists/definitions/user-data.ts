/** The list of user data. */
import { columns, type ListDefinition } from '../columns.ts';

export const userData: ListDefinition = {
  columns: [
    ...columns('key', 'user_data_key', 'workflow_key'),
    ...columns('text', 'name'),
    ...columns('flag', 'is_ephemeral'),
    ...columns('integer', 'version'),
    ...columns('json', 'data'),
  ],
  from: 'user_data',
  where: '1',
  workflow: 'workflow_key',
  key: 'user_data_key',
};
