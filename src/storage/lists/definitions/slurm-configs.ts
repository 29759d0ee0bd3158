/** The list of Slurm configs, each with the jobs that wait for its workers. */
import { anyConfig } from '../../../model/decide/pools.ts';
import { columns, type ListDefinition, labelsColumn } from '../columns.ts';

export const slurmConfigs: ListDefinition = {
  columns: [
    ...columns('key', 'slurm_config_key', 'workflow_key'),
    ...columns('text', 'name', 'account', 'partition', 'qos'),
    ...columns('integer', 'walltime_seconds', 'num_nodes', 'ntasks_per_node'),
    ...columns('text', 'mem', 'tmp', 'gres', 'extra'),
    labelsColumn('labels'),
    ...columns('flag', 'also_unlabelled'),
    ...columns('integer', 'fallback_order'),
    ...columns('text', ['resources', "nullif(resources, '')"]),
    // ready jobs that are restricted to workers of this config
    ...columns('integer', [
      'num_ready_jobs',
      `(SELECT count(*) FROM jobs j WHERE j.workflow_key = slurm_configs.workflow_key AND j.status = 'ready'
        AND j.shape_key IN (SELECT shape_key FROM shapes s WHERE s.workflow_key = slurm_configs.workflow_key
          AND s.slurm_config_key = slurm_configs.slurm_config_key))`,
    ]),
    // among the ready jobs that workers of this config may take
    ...columns('integer', [
      'most_nodes_asked_for',
      `(SELECT coalesce(max(s.num_nodes), 0) FROM shapes s WHERE s.workflow_key = slurm_configs.workflow_key
        AND s.slurm_config_key IN (${anyConfig}, slurm_configs.slurm_config_key) AND EXISTS (SELECT 1 FROM jobs j
          WHERE j.workflow_key = s.workflow_key AND j.shape_key = s.shape_key AND j.status = 'ready'))`,
    ]),
  ],
  from: 'slurm_configs',
  where: '1',
  workflow: 'workflow_key',
  key: 'slurm_config_key',
};
