/** The part of a copy that says what the workflow does by itself; see `copiedTables`. */

const workflow = { workflow_key: '@target' };

export const copiedReactions = [
  {
    table: 'actions',
    from: 'actions t WHERE t.workflow_key = @source',
    same: ['trigger_type', 'action_type', 'is_persistent', 'definition', 'working_directory', 'output_directory'],
    made: { ...workflow, action_key: 't.action_key + @actions' },
    // counted when the jobs of the actions are there
    unset: ['num_jobs', 'num_unmet'],
  },
  {
    table: 'notifications',
    from: 'notifications t WHERE t.workflow_key = @source ORDER BY t.notification_key',
    same: ['events', 'kind', 'target', 'shown_target', 'token_file'],
    made: workflow,
    unset: ['notification_key'],
  },
  {
    table: 'action_jobs',
    from: 'jobs n JOIN action_jobs t ON t.job_key = n.job_key - @jobs WHERE n.workflow_key = @target',
    same: [],
    made: { job_key: 'n.job_key', action_key: 't.action_key + @actions' },
    unset: [],
  },
];
