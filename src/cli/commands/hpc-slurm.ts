/** `torc hpc slurm ..`, also typed `torc slurm ..`: settings for sbatch, allocations, and the worker inside one. */
import type { Command } from 'commander';
import { parseMemory } from '../../base/units.ts';
import type { ConfigOptions } from '../actions/slurm-configs.ts';
import type { AllocationWorkerOptions } from '../actions/slurm-run-jobs.ts';
import { namedResources } from '../input/named-resources.ts';
import { collect, decimalNumber, givenLabels, readable, wholeNumber, yesOrNo } from '../input/options.ts';
import type { ScheduleOptions } from '../workers/allocation-plan.ts';
import { type Act, examples } from './declare.ts';
import { declareList } from './lists.ts';
import { declareSlurmPlanning } from './slurm-planning.ts';
import { addLabelOptions } from './worker-options.ts';

export function declareHpcSlurm(program: Command, act: Act): void {
  const hpc = program.command('hpc').description('run workflows on a cluster');
  declareSlurm(hpc.command('slurm').description('Slurm settings and allocations of a workflow'), act);
  declareSlurm(program.command('slurm', { hidden: true }).description('the same as torc hpc slurm'), act);
}

function declareSlurm(group: Command, act: Act): void {
  declareConfigs(group, act);
  declareSchedule(group, act);
  declareSlurmPlanning(group, act);
  declareAllocationWorker(group, act);
}

function addConfigOptions(command: Command, isNew: boolean): Command {
  const preset = (value: string) => (isNew ? ` (default: ${value})` : '');
  return command
    .option('-N, --name <name>', `name of the config${preset('default')}`)
    .option('-a, --account <account>', `account to charge${isNew ? ' (required)' : ''}`)
    .option('-p, --partition <name>', "partition (default: the cluster's)")
    .option('-q, --qos <name>', `quality of service${preset('normal')}`)
    .option('-w, --walltime <time>', `walltime of each allocation in Slurm's format${preset('04:00:00')}`)
    .option('-n, --nodes <n>', `nodes of each allocation${preset('1')}`, wholeNumber('the number of nodes', 1))
    .option('--ntasks-per-node <n>', 'tasks on each node', wholeNumber('the number of tasks', 1))
    .option('-m, --mem <size>', 'memory of each node, such as 180G')
    .option('-t, --tmp <size>', 'local disk of each node')
    .option('-g, --gres <list>', 'generic resources, such as gpu:4')
    .option('-e, --extra <options>', 'other sbatch options, such as "--constraint=skylake"')
    .option(
      '--label <name>',
      `a label of its workers, which then take only jobs that ask for labels that they have; may be repeated${isNew ? '' : "; instead of those before, '' for none"}`,
      isNew ? collect(givenLabels) : collect((text) => (text === '' ? [] : givenLabels(text))),
    )
    .option(
      '--resource <name=n>',
      `a named resource of each node that jobs can ask for, such as fpga=2; may be repeated${isNew ? '' : "; instead of those before, '' for none"}`,
      namedResources,
    )
    .option('--also-unlabelled [true|false]', 'its workers take jobs without labels too', yesOrNo);
}

function declareConfigs(group: Command, act: Act): void {
  const add = addConfigOptions(
    group.command('add-config').description('add the sbatch settings for allocations of a workflow'),
    true,
  ).addHelpText(
    'after',
    examples(
      'torc hpc slurm add-config -a my_account -e --exclusive    # whole nodes; without it, Slurm may give a single CPU',
      'torc hpc slurm add-config -N gpu -a my_account -p gpu-h100 -w 1-00:00:00 -n 2 -g gpu:4',
    ),
  );
  act(add, async (_, self) => {
    const { addConfig } = await import('../actions/slurm-configs.ts');
    return (context) => addConfig(context, self.opts<ConfigOptions>());
  });
  declareList(
    group
      .command('list-configs')
      .description('list the Slurm configs of a workflow')
      .addHelpText('after', examples('torc hpc slurm list-configs')),
    'slurm_configs',
    act,
  );
  const modify = addConfigOptions(
    group
      .command('modify-config')
      .description("change a Slurm config; '' removes a value")
      .argument('[config]', 'key or name of the config (default: the only one of the workflow)'),
    false,
  ).addHelpText(
    'after',
    examples('torc hpc slurm modify-config -w 08:00:00', "torc hpc slurm modify-config 3 -p short -g ''"),
  );
  act(modify, async ([config], self) => {
    const { modifyConfig } = await import('../actions/slurm-configs.ts');
    return (context) => modifyConfig(context, config ?? null, self.opts<ConfigOptions>());
  });
  declareList(
    group
      .command('allocations')
      .description('list the Slurm jobs that were submitted for a workflow')
      .addHelpText('after', examples('torc hpc slurm allocations', 'torc hpc slurm allocations -f status=refused')),
    'allocations',
    act,
  );
}

function declareSchedule(group: Command, act: Act): void {
  const schedule = group
    .command('schedule-nodes')
    .description('submit Slurm jobs that run workers for a started workflow')
    .requiredOption('-n, --count <n>', 'number of allocations to submit', wholeNumber('the number of allocations', 1))
    .option('-s, --scheduler-key <config>', 'key or name of the Slurm config (default: the only one of the workflow)')
    .option('-j, --job-prefix <prefix>', 'prefix of the Slurm job names', 'worker')
    .option('--keep-scripts', 'keep the sbatch scripts after submission')
    .option(
      '-m, --max-parallel-jobs <n>',
      'run at most this many jobs at a time on each worker',
      wholeNumber('the number of jobs', 1),
    )
    .option('-o, --output <directory>', 'output directory (default: TORC_OUTPUT_DIR or ./torc_output)')
    .option(
      '-p, --poll-interval <seconds>',
      'ignored, kept for old scripts: workers get new work at once',
      decimalNumber('the interval', 0.1),
    )
    .option(
      '-S, --start-one-worker-per-node',
      'start one worker on each node (default if no waiting job needs several nodes)',
    )
    .option('--no-start-one-worker-per-node', 'start one worker for the whole allocation')
    .option(
      '--mem <size>',
      'memory of each node instead of the Slurm config; fit: what the largest ready job needs',
      readable((text) => text === 'fit' || parseMemory(text)),
    )
    .option('--force', 'submit even allocations that can run none of the waiting jobs')
    .option('--dry-run', 'print the scripts and the plan without submitting anything')
    .option('--no-server', 'do not start a server on this host if none answers')
    .addHelpText(
      'after',
      examples(
        'torc hpc slurm schedule-nodes -n 2',
        'torc hpc slurm schedule-nodes -n 1 --dry-run',
        'torc hpc slurm schedule-nodes -n 1 --mem fit',
        'torc --workflow-key 7 hpc slurm schedule-nodes -n 10 -s 3 -o /scratch/me/output',
      ),
    );
  act(schedule, async (_, self) => {
    const { scheduleNodes } = await import('../actions/slurm-schedule.ts');
    return (context) => scheduleNodes(context, self.opts<ScheduleOptions>());
  });
}

function declareAllocationWorker(group: Command, act: Act): void {
  const run = group
    .command('run-jobs')
    .description('run jobs inside a Slurm allocation; the sbatch script of schedule-nodes calls this')
    .argument('<key>', 'workflow key')
    .requiredOption('--allocation <key>', 'key of the allocation')
    .requiredOption('--output <directory>', 'output directory')
    .requiredOption('--walltime <seconds>', 'walltime of the allocation', wholeNumber('the walltime', 1))
    .option('--all-nodes', 'also run multi-node jobs, on all nodes of the allocation')
    .option('--max-parallel-jobs <n>', 'run at most this many jobs at a time', wholeNumber('the number of jobs', 1))
    .option(
      '--poll-interval <seconds>',
      'ignored, kept for old scripts: workers get new work at once',
      decimalNumber('the interval', 0.1),
    )
    .addHelpText(
      'after',
      examples('torc --dir /scratch/me/torc hpc slurm run-jobs 7 --allocation 3 --output out --walltime 3600'),
    );
  addLabelOptions(run);
  act(run, async ([key = ''], self) => {
    const { runInAllocation } = await import('../actions/slurm-run-jobs.ts');
    return (context) => runInAllocation(context, key, self.opts<AllocationWorkerOptions>());
  });
}
