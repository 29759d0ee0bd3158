/** Commands of `torc hpc slurm` that plan: what the cluster offers, and which allocations a workflow needs. */
import type { Command } from 'commander';
import { parseMemory, parseWalltime } from '../../base/units.ts';
import type { GenerateOptions } from '../actions/slurm-generate.ts';
import type { NodePlanOptions } from '../actions/slurm-plan.ts';
import type { RecommendOptions } from '../actions/slurm-recommend.ts';
import { readable, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareSlurmPlanning(group: Command, act: Act): void {
  declareSite(group, act);
  declareRecommend(group, act);
  const plan = addPlanOptions(
    group
      .command('plan')
      .description('show which allocations a workflow needs: partition, number, nodes, walltime, and when')
      .argument('[workflow]', 'specification or commands file, or key or name of a stored workflow (default: -k)'),
  )
    .option(
      '--test-only',
      'ask Slurm when it could start each kind of allocation (sbatch --test-only; submits nothing)',
    )
    .addHelpText(
      'after',
      `
The plan is found by packing the jobs into the nodes of this cluster over a simulated clock. It takes the soonest end that
costs at most a quarter more node-hours than the cheapest number of allocations. Time in the queue does not count: --test-only
says when Slurm could start one allocation of each line, if nothing else were submitted.
${examples(
  'torc hpc slurm plan workflow.yaml',
  'torc hpc slurm plan workflow.yaml -p short -t 1:00:00 --max-nodes 10',
  'torc hpc slurm plan workflow.yaml --test-only',
  'torc -F json hpc slurm plan 7 | jq .node_hours',
).trimStart()}`,
    );
  act(plan, async ([what], self) => {
    const { planNodes } = await import('../actions/slurm-plan.ts');
    return (context) => planNodes(context, what ?? null, self.opts<NodePlanOptions>());
  });
  const generate = addPlanOptions(
    group
      .command('generate')
      .description('write the plan into a specification: Slurm configs, and actions that submit allocations')
      .argument('<spec>', 'specification in YAML or JSON'),
  )
    .option('-a, --account <account>', 'account to charge (default: torc config, else your default account)')
    .option('-q, --qos <name>', "quality of service (default: torc config, else the account's)")
    .option('-o, --output <file>', 'write to this file (default: print)')
    .addHelpText(
      'after',
      examples(
        'torc hpc slurm generate workflow.yaml -a my_account -o planned.yaml',
        'torc hpc slurm generate workflow.yaml -p short --max-nodes 10 > planned.yaml',
      ),
    );
  act(generate, async ([spec = ''], self) => {
    const { generateSpec } = await import('../actions/slurm-generate.ts');
    return (context) => generateSpec(context, spec, self.opts<GenerateOptions>());
  });
}

function declareRecommend(group: Command, act: Act): void {
  const recommend = group
    .command('recommend-nodes')
    .description('show how many nodes the waiting jobs need, by the same plan')
    .option('-c, --cpus <n>', 'CPUs of each node (default: what the cluster has)', wholeNumber('the number of CPUs', 1))
    .option('-m, --memory <size>', 'memory of each node, such as 180g (default: what the cluster has)', parseMemory)
    .option('-s, --scheduler-key <config>', 'plan within the partition and walltime of this Slurm config')
    .option(
      '--max-nodes <n>',
      'at most this many nodes in each line of the plan',
      wholeNumber('the number of nodes', 1),
    )
    .addHelpText(
      'after',
      examples(
        'torc -k 7 hpc slurm recommend-nodes',
        'torc -k 7 hpc slurm recommend-nodes -c 104 -m 240g    # of nodes like these',
      ),
    );
  act(recommend, async (_, self) => {
    const { recommendNodes } = await import('../actions/slurm-recommend.ts');
    const { memory, ...others } = self.opts<Omit<RecommendOptions, 'memoryBytes'> & { memory?: number }>();
    const options = memory === undefined ? others : { ...others, memoryBytes: memory };
    return (context) => recommendNodes(context, options);
  });
}

function addPlanOptions(command: Command): Command {
  return command
    .option(
      '--max-nodes <n>',
      'at most this many nodes in each line of the plan',
      wholeNumber('the number of nodes', 1),
    )
    .option(
      '--max-allocations <n>',
      'at most this many allocations in total',
      wholeNumber('the number of allocations', 1),
    )
    .option('-p, --partition <name>', 'plan with this partition only')
    .option('-t, --walltime <time>', "longest walltime, in Slurm's format", readable(parseWalltime))
    .option(
      '-m, --max-parallel-jobs <n>',
      'at most this many jobs at a time on each worker',
      wholeNumber('the number of jobs', 1),
    );
}

function declareSite(group: Command, act: Act): void {
  const site = group.command('site').description('what this cluster offers: its partitions, their limits and nodes');
  const show = site
    .command('show')
    .description('show partitions and nodes; asks Slurm when what is known is older than a day')
    .addHelpText('after', examples('torc hpc slurm site show', 'torc -F json hpc slurm site show | jq .partitions'));
  act(show, async () => {
    const { showSite } = await import('../actions/slurm-site.ts');
    return (context) => showSite(context);
  });
  const refresh = site
    .command('refresh')
    .description('ask Slurm now, with three commands')
    .addHelpText('after', examples('torc hpc slurm site refresh'));
  act(refresh, async () => {
    const { refreshStoredSite } = await import('../actions/slurm-site.ts');
    return (context) => refreshStoredSite(context);
  });
}
