/**
 * Command lines of torc 0.12, torc 1.0 and the older Python torc that are typed differently here: one row for each command.
 * docs/coming-from-torc.md shows this table.
 */

/**
 * What is typed there, and what it is here. `#` in `typed` is a key. In `here` a `{1}` stands for the first operand,
 * `{--name}` for the value of that option; what is left follows at the end. A missing one is left out, with the option
 * before it.
 */
export interface Word {
  typed: string;
  here: string;
  /**
   * Options that differ. One that takes a value ends in `=`, or in a pattern that its value matches; in what it is here
   * `*` is the value. Empty: it has no effect here. Beginning with `!`: refused, with this hint.
   */
  options?: Readonly<Record<string, string>>;
}

/** What does not exist here: why, and what helps. */
export interface Answer {
  typed: string;
  why: string;
  instead: string;
}

const states = {
  failed: '--failed',
  running: '--running',
  completed: '-f status=done',
  pending: '-f status=submitted_pending',
  '[a-z_]+': '-f status=*',
};
const ofStates = (option: string) => Object.entries(states).map(([value, here]) => [`${option}=${value}`, here]);
const status = Object.fromEntries(['--status', '-s'].flatMap(ofStates));
const node = { '--num-cpus=': '--cpus=*', '--num-gpus=': '--gpus=*' };
const worker = { ...node, '--memory-gb=': '--memory=*g', '--output-dir=': '--output=*' };
const ai = '!torc has no assistant: torc logs analyze KEY groups the failures; torc jobs modify changes the jobs.';
const more =
  '!Jobs get what you give them: torc jobs modify JOBS --memory 8g --runtime PT4H, then torc rerun-failed KEY.';
const hook =
  '!A failure handler in the specification has a recovery_script: docs/failure-handlers.md. Then torc watch KEY.';

export const words: readonly Word[] = [
  { typed: 'completions', here: 'completion' },
  { typed: 'ping', here: 'server info' },
  { typed: 'export sqlite', here: 'server backup' },
  { typed: 'files create', here: 'files add {--name} --workflow-key {1}' },
  { typed: 'files #', here: 'files list' },
  {
    typed: 'jobs create',
    here: 'jobs add {--name} --workflow-key {1}',
    options: {
      '--resource-requirements-id=': '-r=*',
      '--input-file-ids=': '!Files are named: torc files list, then torc jobs add NAME --input-file FILE.',
    },
  },
  { typed: 'jobs get', here: 'jobs show' },
  { typed: 'jobs list', here: 'jobs list', options: status },
  { typed: 'jobs list-process-stats', here: 'results list' },
  { typed: 'jobs list-resource-requirements', here: 'resource-requirements list' },
  { typed: 'jobs list-user-data', here: 'user-data list' },
  { typed: 'jobs update', here: 'jobs modify', options: node },
  { typed: 'jobs #', here: 'jobs list' },
  {
    typed: 'logs bundle',
    here: 'logs bundle',
    options: { '--bundle-dir=': '--output=*/torc-bundle.tar.gz', '--output-dir=': '' },
  },
  {
    typed: 'recover',
    here: 'recover',
    options: { '--ai-recovery': ai, '--ai-agent=': '' },
  },
  {
    typed: 'reports check-resource-utilization',
    here: 'reports resources',
    options: { '--all': '', '--include-failed': '', '--run-id=': '' },
  },
  {
    typed: 'reports results',
    here: 'results list',
    options: { '--job-id=': '-f=job_key=*', '--all-runs': '', '--output-dir=': '' },
  },
  { typed: 'reports summary', here: 'status' },
  { typed: 'reports #', here: 'status' },
  {
    typed: 'resource-requirements create',
    here: 'resource-requirements add {--name} --workflow-key {1}',
    options: node,
  },
  {
    typed: 'resource-requirements update',
    here: 'resource-requirements modify',
    options: {
      ...node,
      '--num-nodes=':
        '!Nodes cannot be changed: torc resource-requirements add NAME --nodes 16, then torc jobs assign-resource-requirements.',
    },
  },
  { typed: 'results get', here: 'results list', options: { '--job-id=': '-f=job_key=*' } },
  { typed: 'results list', here: 'results list', options: { '--include-logs': '' } },
  { typed: 'run #', here: 'jobs run {1} -o {2}', options: worker },
  { typed: 'run', here: 'run', options: worker },
  {
    typed: 'slurm generate',
    here: 'slurm generate',
    options: { '--group-by=': '', '--profile=': '', '--walltime-multiplier=': '', '--walltime-strategy=': '' },
  },
  { typed: 'slurm parse-logs', here: 'jobs diagnose --workflow-key {1}', options: { '--output-dir=': '' } },
  {
    typed: 'slurm sacct',
    here: 'jobs diagnose --workflow-key {1}',
    options: { '--output-dir=': '', '--save-json': '' },
  },
  {
    typed: 'slurm schedule-nodes',
    here: 'slurm schedule-nodes --workflow-key {1}',
    options: { '--num-hpc-jobs=': '-n=*', '--scheduler-config-id=': '-s=*', '--output-dir=': '-o=*' },
  },
  { typed: 'slurm stats', here: 'results list' },
  { typed: 'slurm usage', here: 'results list' },
  { typed: 'submit #', here: 'workflows start' },
  { typed: 'submit-slurm #', here: 'workflows start' },
  { typed: 'submit-slurm', here: 'submit', options: { '--hpc-profile=': '' } },
  { typed: 'user-data update', here: 'user-data modify' },
  {
    typed: 'watch',
    here: 'watch',
    options: {
      '--max-retries=': '--max-recoveries=*',
      '--ai-recovery': ai,
      '--auto-schedule': '',
      '--recovery-hook=': hook,
      '--recovery-hook': hook,
      '--poll-interval=': '',
      '--show-job-counts': '',
    },
  },
  { typed: 'workflows archive true', here: 'workflows archive' },
  { typed: 'workflows archive false', here: 'workflows unarchive' },
  { typed: 'workflows check-resources', here: 'reports resources' },
  {
    typed: 'workflows correct-resources',
    here: 'workflows correct-resources',
    options: { '--job-ids=': more, '--memory-multiplier=': more, '--runtime-multiplier=': more },
  },
  { typed: 'workflows create', here: 'workflows create', options: { '--skip-checks': '' } },
  { typed: 'workflows diagnose', here: 'jobs diagnose --workflow-key {1}' },
  { typed: 'workflows execution-plan #', here: 'workflows graph {1}' },
  { typed: 'workflows execution-plan', here: 'workflows create --dry-run --show-jobs' },
  {
    typed: 'workflows export',
    here: 'workflows export',
    options: { '--include-results': '--results', '--include-events': '--events' },
  },
  { typed: 'workflows get', here: 'workflows show' },
  {
    typed: 'workflows import',
    here: 'workflows import',
    options: {
      '--skip-results': '',
      '--skip-events': '',
      '--name=': '!Import it, then name it: torc workflows modify KEY --name NAME.',
    },
  },
  { typed: 'workflows init', here: 'workflows start' },
  { typed: 'workflows initialize', here: 'workflows start' },
  { typed: 'workflows initialize-jobs', here: 'workflows start' },
  {
    typed: 'workflows list',
    here: 'workflows list',
    options: { '--archived-only': '--only-archived' },
  },
  { typed: 'workflows reinit', here: 'workflows restart' },
  { typed: 'workflows reinitialize', here: 'workflows restart' },
  {
    typed: 'workflows reset-status',
    here: 'workflows reset-status',
    options: { '--failed': '--failed-only', '--reinitialize': '--restart' },
  },
  { typed: 'workflows run', here: 'jobs run', options: worker },
  { typed: 'workflows show-config', here: 'workflows show' },
  {
    typed: 'workflows start',
    here: 'workflows start',
    options: { '-a': more, '--auto-tune-resource-requirements': more },
  },
  { typed: 'workflows status', here: 'status' },
  { typed: 'workflows submit', here: 'workflows start' },
  { typed: 'workflows sync-status', here: 'jobs diagnose --workflow-key {1}', options: { '--dry-run': '' } },
  { typed: 'workflows update', here: 'workflows modify' },
  { typed: 'workflows #', here: 'workflows show' },
];

const profiles = {
  why: 'torc makes its profile of a cluster from what Slurm says',
  instead: 'torc hpc slurm site show has the partitions, their limits and their nodes.',
};
const shells = {
  why: 'there is no completion for this shell',
  instead: 'torc completion bash, torc completion zsh and torc completion fish print one.',
};
const generated = {
  why: 'a stored workflow keeps its Slurm configs',
  instead:
    'torc hpc slurm plan KEY says what the jobs that wait need; torc hpc slurm add-config and schedule-nodes ask for it.',
};
const remote = {
  why: 'torc starts no workers on other hosts by ssh',
  instead:
    'On each host: torc jobs run KEY, with the server directory on a shared file system. torc compute-nodes list shows them.',
};
const groupsOfUsers = {
  why: 'torc has no accounts and no groups: a server directory belongs to one user (docs/security.md)',
  instead: 'Give a colleague what torc workflows export KEY prints.',
};
const usage = {
  why: 'torc tunes no jobs by running them first',
  instead:
    'torc reports resources KEY proposes values from what jobs have used; torc workflows correct-resources KEY applies them; torc submit SPEC --auto-size gives them to a new workflow.',
};

export const answers: readonly Answer[] = [
  { typed: 'access-groups', ...groupsOfUsers },
  {
    typed: 'collections join',
    why: 'lists have everything about their rows, so nothing has to be joined',
    instead: 'torc -F json jobs list, torc -F json results list; torc jobs show KEY has all of a job.',
  },
  { typed: 'completions elvish', ...shells },
  { typed: 'completions powershell', ...shells },
  { typed: 'hpc detect', ...profiles },
  { typed: 'hpc generate', ...profiles },
  { typed: 'hpc list', ...profiles },
  { typed: 'hpc match', ...profiles },
  { typed: 'hpc partitions', ...profiles },
  { typed: 'hpc show', ...profiles },
  {
    typed: 'plot-resources',
    why: 'torc draws no plots',
    instead: 'The time series are CSV files below OUTPUT/resource_monitor/; torc results list has the peaks.',
  },
  { typed: 'remote', ...remote },
  {
    typed: 'results delete',
    why: 'results of earlier runs stay: they say what has happened',
    instead: 'torc results list --latest-only shows the newest; torc workflows delete KEY deletes all.',
  },
  { typed: 'slurm regenerate', ...generated },
  {
    typed: 'stats',
    why: 'torc has no summary of all workflows',
    instead: 'torc status shows how each stands, torc results list what its jobs used.',
  },
  { typed: 'workflows create-slurm', ...generated },
  {
    typed: 'workflows new',
    why: 'a workflow begins with a specification, which may have no jobs',
    instead: `echo '{"name":"NAME","jobs":[]}' | torc workflows create -; then torc jobs add NAME --command COMMAND.`,
  },
  { typed: 'workflows process-auto-tune-resource-requirements-results', ...usage },
];

/** Options before the command that do not exist here. */
export const programAnswers: readonly Answer[] = [
  {
    typed: '--url',
    why: 'torc finds its server in the server directory, not by a URL',
    instead: 'torc --dir DIRECTORY COMMAND, or TORC_DIR.',
  },
  {
    typed: '--username',
    why: 'torc has no accounts: a server acts for the user who started it (docs/security.md)',
    instead: 'torc workflows list -U NAME shows the workflows of a user.',
  },
  {
    typed: '--password',
    why: 'torc has no passwords: the server directory belongs to you (docs/security.md)',
    instead: 'torc workflows list needs none.',
  },
];
