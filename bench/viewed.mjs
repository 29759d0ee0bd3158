// What people who look at a workflow ask the server for, and how often while much happens: as in src/page and src/cli.

const rowsOf = (key, list, limit, reverse) => [
  'list',
  { list, workflow_key: key, filters: [], sort_by: null, reverse, limit, skip: 0 },
];

/** `[everyMs, endpoint, request]` by who looks; what is asked for every second comes with each change. */
export function viewed(key) {
  const status = [1000, 'status', { workflow_keys: [key], user: null, limit: 1, state: null, wait_seconds: 0 }];
  const page = ['workflow_status', { workflow_key: key }];
  return {
    "the dashboard's page of a workflow": [
      status,
      [2000, ...page],
      [2000, ...rowsOf(key, 'events', 12, true)],
      [3000, 'workflow_graph', { workflow_key: key }],
      [3000, 'limits_list', { workflow_key: key }],
    ],
    "the dashboard's list of its jobs": [status, [2000, ...rowsOf(key, 'jobs', 100, false)]],
    'torc watch': [status, [1000, ...page]],
    'torc tui': [[1000, ...page]],
  };
}
