/** What `torc workflows template` prints: every part of a specification, the rarer ones commented out with `#`. */
export const specTemplate = `# A workflow for torc. Fill in what you need, delete the rest, and check it with
#   torc workflows create workflow.yaml --dry-run --show-jobs
name: my_workflow
description: What it computes
# project: wind
# metadata: {grant: 12}
# With args it is the same workflow when it is created again, and torc run --resume continues it.
# args: v1
# Texts to find it by: torc workflows list -f attribute.release_id=123. Jobs can have them too.
# attributes: {release_id: 123, stage: test}

# Requirements of jobs. Only limits that are written are enforced.
resource_requirements:
  - name: small
    num_cpus: 1
    memory: 512m
    runtime: PT10M # at most 10 minutes
  - name: large
    num_cpus: 2
    memory: 1g
    runtime: PT2H
    # num_gpus: 1

# Files that jobs read and write. The producer of a file runs before its readers.
files:
  - name: table
    path: table.csv

# JSON documents that jobs pass to each other.
# user_data:
#   - name: settings
#     data: {rate: 0.1}

jobs:
  - name: prepare
    command: echo "a,b" > \${files.output.table}
    resource_requirements: small

  # one job per pair of values: 3 x 2
  - name: train_{rate}_{seed}
    command: echo "rate {rate} seed {seed}" && wc -l < \${files.input.table}
    resource_requirements: large
    parameters:
      rate: "[0.1, 0.01, 0.001]"
      seed: "1:2"
    # several commands in order instead of one; the first failure ends the job:
    # steps:
    #   - {command: ./fetch, max_retries: 3}
    #   - {command: ./compute}
    #   - {command: ./clean_up, ignore_failure: true}
    # priority: 10
    # hold: true
    # supports_termination: true

  - name: report
    command: echo done
    depends_on_regexes: ["^train_"]
    # run it even when a training fails:
    # cancel_on_blocking_job_failure: false
    # task_failure_is_success: true
    # max_wait: PT6H
    # limit: matlab
    # failure_handler: again, or retries without one:
    # max_retries: 3
    # retry_delay: 30s
    # retry_backoff: 2
    # scheduler: standard
    # labels: [gpu]

# What happens after a failure: the first rule that matches the return code applies.
# failure_handlers:
#   - name: again
#     rules:
#       - {exit_codes: [75], max_retries: 3}
#       - {causes: [oom, job_timeout], max_retries: 1}

# Where workers run: torc hpc slurm schedule-nodes -n 2
# slurm_schedulers:
#   - name: standard
#     account: my_account
#     partition: short
#     walltime: "04:00:00"
#     nodes: 1

# What happens automatically, here nodes at the start: docs/actions.md
# actions:
#   - trigger_type: on_workflow_start
#     action_type: schedule_nodes
#     scheduler: standard

# Who is notified when a run ends, jobs fail or jobs wait without a worker: docs/notifications.md
# notifications:
#   - to: {email: me@example.org}
#   - {on: [job_failed, waiting], to: {webhook_file: ~/.torc-webhook}}

# Where job output goes: files (two per job), combined (one per worker), per-job (one per job), on-failure or none.
# stdio: combined

# In an allocation of Slurm: each job as a step of its own, started by srun; jobs bound to their CPUs.
# execution: slurm
# pin: true

# Texts that stand in braces anywhere, such as {data}; a table with a row for each job with use_parameters_file: true.
# variables: {data: /scratch/study}
# parameters_file: cases.csv

# Environment variables of every job; a job can have env too.
# env: {OMP_NUM_THREADS: 4}

# How often in a run a job starts again that was lost with its worker, node or allocation.
# max_losses: 3

# When to start nothing more: after so many failures of a run (fail_fast: true for 1), or so long after its start.
# max_failures: 5
# timeout: PT12H

# How many jobs run at once: all of the workflow, and those that name a limit (limit: matlab).
# max_concurrent_jobs: 50
# limits: {matlab: 2}

# How many jobs its running jobs may add: torc jobs add-children --help
# max_dynamic_jobs: 100000

# What jobs with supports_termination get, and how many seconds before their time is over.
# termination_signal: SIGTERM
# sigterm_lead_seconds: 30

# Whether the folders of declared output files are made before a job starts.
# create_output_folders: true

# Memory and processor time of each job, every 10 seconds.
# resource_monitor: {enabled: true, granularity: time_series, sample_interval_seconds: 10}
`;
