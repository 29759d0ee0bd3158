/** What a copy of a workflow takes from the tables beside the rows of its jobs, which are already stored. */

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
] as const;
