/** What a copy of a workflow takes from the tables beside the rows of its jobs, which are already stored; all jobs are copied. */

export const copiedJobParts = [
  {
    table: 'job_attributes',
    from: `jobs n JOIN job_attributes t ON t.job_key = n.job_key - @jobs
      WHERE n.workflow_key = @target ORDER BY n.job_key`,
    same: ['attributes'],
    made: { job_key: 'n.job_key' },
    unset: [],
  },
  {
    table: 'job_launch',
    from: `jobs n JOIN job_launch t ON t.job_key = n.job_key - @jobs
      WHERE n.workflow_key = @target ORDER BY n.job_key`,
    same: ['launch'],
    made: { job_key: 'n.job_key' },
    unset: [],
  },
  {
    table: 'upstream_orders',
    from: `jobs n JOIN upstream_orders t ON t.job_key = n.job_key - @jobs
      WHERE n.workflow_key = @target ORDER BY n.job_key`,
    same: ['runs'],
    made: { job_key: 'n.job_key' },
    unset: [],
  },
  {
    table: 'stems',
    from: 'stems t WHERE t.workflow_key = @source',
    same: ['stem'],
    made: { workflow_key: '@target', stem_key: 't.stem_key + @stems' },
    unset: [],
  },
  {
    table: 'stem_requests',
    from: 'stem_requests t WHERE t.workflow_key = @source',
    same: ['num_jobs'],
    made: { workflow_key: '@target', stem_key: 't.stem_key + @stems', shape_key: 't.shape_key + @shapes' },
    unset: [],
  },
  {
    table: 'drawings',
    from: 'drawings t WHERE t.workflow_key = @source',
    same: ['num_jobs', 'drawing'],
    made: { workflow_key: '@target', first_job_key: 't.first_job_key + @jobs' },
    unset: [],
  },
] as const;
