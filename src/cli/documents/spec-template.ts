/** What `torc workflows template` prints: every part of a specification, the rarer ones commented out with `#`. */
export const specTemplate = `# A workflow for torc. Fill in what you need, delete the rest, and look at it with
#   torc workflows create workflow.yaml --dry-run --show-jobs
name: my_workflow
description: What it computes
# project: wind
# metadata: {grant: 12}

# What jobs ask for. A limit holds only where it is written.
resource_requirements:
  - name: small
    num_cpus: 1
    memory: 512m
    runtime: PT10M # longest runtime: 10 minutes
  - name: large
    num_cpus: 2
    memory: 1g
    runtime: PT2H
    # num_gpus: 1

# Files that jobs read and write. Who writes a file runs before who reads it.
files:
  - name: table
    path: table.csv

# JSON documents that jobs hand to each other.
# user_data:
#   - name: settings
#     data: {rate: 0.1}

jobs:
  - name: prepare
    command: echo "a,b" > \${files.output.table}
    resource_requirements: small

  # one job for each pair of values: 3 x 2
  - name: train_{rate}_{seed}
    command: echo "rate {rate} seed {seed}" && wc -l < \${files.input.table}
    resource_requirements: large
    parameters:
      rate: "[0.1, 0.01, 0.001]"
      seed: "1:2"
    # several commands in order, in place of command; the first that fails ends the job:
    # steps:
    #   - {command: ./fetch, max_retries: 3}
    #   - {command: ./compute}
    #   - {command: ./clean_up, ignore_failure: true}
    # priority: 10
    # supports_termination: true

  - name: report
    command: echo done
    depends_on_regexes: ["^train_"]
    # run it also when a training fails:
    # cancel_on_blocking_job_failure: false
    # failure_handler: again
    # scheduler: standard

# What follows a failure: the first rule that matches the return code.
# failure_handlers:
#   - name: again
#     rules:
#       - {exit_codes: [75], max_retries: 3}

# Where workers run: torc hpc slurm schedule-nodes -n 2
# slurm_schedulers:
#   - name: standard
#     account: my_account
#     partition: short
#     walltime: "04:00:00"
#     nodes: 1

# What happens by itself, here nodes at the start: docs/actions.md
# actions:
#   - trigger_type: on_workflow_start
#     action_type: schedule_nodes
#     scheduler: standard

# Where the output of jobs goes: files (two for each job), combined, on-failure or none.
# stdio: combined

# Memory and processor time of each job, every 10 seconds.
# resource_monitor: {enabled: true, granularity: time_series, sample_interval_seconds: 10}
`;
