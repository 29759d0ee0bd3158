/** The list of named resource requirements. */
import { type Column, columns, type ListDefinition } from '../columns.ts';

export const requirementColumns: Column[] = [
  ...columns('integer', ['num_cpus', 's.num_cpus'], ['memory_bytes', 's.memory_bytes']),
  { name: 'num_gpus', kind: 'integer', sql: 's.gpu_thousandths / 1000.0' },
  ...columns('integer', ['num_nodes', 's.num_nodes']),
  ...columns('seconds', ['runtime_seconds', 's.runtime_ms'], ['expected_runtime_seconds', 'nullif(s.expected_ms, 0)']),
  ...columns('text', ['resources', "nullif(s.resources, '')"]),
];

export const resourceRequirements: ListDefinition = {
  columns: [
    ...columns('key', ['resource_requirements_key', 'r.resource_requirements_key'], ['workflow_key', 'r.workflow_key']),
    ...columns('text', ['name', 'r.name']),
    ...requirementColumns,
    ...columns('texts', ['from_data', 'd.fields']),
  ],
  joins: 'LEFT JOIN requirements_from_data d ON d.resource_requirements_key = r.resource_requirements_key',
  from: 'resource_requirements r JOIN shapes s ON s.shape_key = r.shape_key',
  where: 'r.name IS NOT NULL',
  workflow: 'r.workflow_key',
  key: 'r.resource_requirements_key',
};
