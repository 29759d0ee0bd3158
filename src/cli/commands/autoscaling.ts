/** `torc workflows autoscale`: a workflow asks Slurm for nodes by itself. */
import { type Command, Option } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseWalltime } from '../../base/units.ts';
import { leastWalltimeSeconds, mostOfAutoscaler } from '../../model/decide/autoscaling-maximum.ts';
import type { AutoscaleOptions } from '../actions/autoscaling.ts';
import { readable, wholeNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareAutoscale(group: Command, act: Act): void {
  const command = group
    .command('autoscale')
    .description('let the server ask Slurm for nodes while jobs wait, and give them back')
    .argument('[key]', keyArgument)
    .option(
      '--max <nodes>',
      'at most this many nodes queued and running at a time (default: 10)',
      wholeNumber('--max', 1, mostOfAutoscaler),
    )
    .option(
      '--min <nodes>',
      'nodes to keep while the workflow runs (default: 0)',
      wholeNumber('--min', 0, mostOfAutoscaler),
    )
    .option(
      '--max-queued <n>',
      'allocations queued at a time, at most (default: 4)',
      wholeNumber('--max-queued', 1, mostOfAutoscaler),
    )
    .option(
      '--idle <duration>',
      'how long a worker without jobs stays (default: 30s)',
      readable((text) => parseDuration(text)),
    )
    .option(
      '-t, --walltime <time>',
      "walltime of each allocation in Slurm's format, or auto (default: as long as is needed)",
      readable(walltime),
    )
    .option('--config <config>', 'key or name of the Slurm config, or any (default: any of the workflow)')
    .option(
      '--nodes-per-allocation <n>',
      'nodes of each allocation (default: as the Slurm config says)',
      wholeNumber('--nodes-per-allocation', 1, mostOfAutoscaler),
    )
    .option(
      '-m, --max-parallel-jobs <n>',
      'run at most this many jobs at a time on each worker',
      wholeNumber('the number of jobs', 1, mostOfAutoscaler),
    )
    .option('--chain', 'run one allocation after the other: queue the next one while the current one runs')
    .option('--no-chain', 'run allocations side by side (default)')
    .option('-o, --output <directory>', 'output directory (default: TORC_OUTPUT_DIR or ./torc_output)');
  const settings = command.options.map((option) => option.attributeName());
  const off = new Option('--off', 'ask for no more nodes; running and queued allocations stay').conflicts(settings);
  command
    .addOption(off)
    .option('-d, --dry-run', 'show what it would submit or cancel now, and why')
    .addHelpText(
      'after',
      `
Settings that you do not give stay as they are. torc workflows show prints them and what the autoscaler is doing.
${examples(
  'torc workflows autoscale 7 --max 20 --dry-run',
  'torc workflows autoscale 7 --max 20 --idle 1m',
  'torc workflows autoscale 7 --max 2 --chain',
  'torc workflows autoscale 7 --off',
).trimStart()}`,
    );
  act(command, async ([key], self) => {
    const { autoscale } = await import('../actions/autoscaling.ts');
    return (context) => autoscale(context, key ?? null, self.opts<AutoscaleOptions>());
  });
}

function walltime(text: string): number {
  const seconds = text === 'auto' ? leastWalltimeSeconds : parseWalltime(text);
  if (seconds >= leastWalltimeSeconds) return seconds;
  throw new TorcError('usage', `a walltime of ${text} is less than a minute`, 'For example: 1:00:00, or auto');
}
