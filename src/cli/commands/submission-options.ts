/** Options of the commands that submit allocations in the same step in which they create a workflow. */
import type { Command } from 'commander';
import { parseWalltime } from '../../base/units.ts';
import { readable, wholeNumber } from '../input/options.ts';

export function addSubmissionOptions(command: Command): Command {
  return command
    .option('-n, --allocations <n>', 'allocations to submit (default: 1)', wholeNumber('the number of allocations', 1))
    .option('-a, --account <account>', 'account to charge (default: torc config, else your default account)')
    .option('-p, --partition <name>', "partition (default: the cluster's)")
    .option('-q, --qos <name>', "quality of service (default: the account's)")
    .option(
      '-t, --walltime <time>',
      "walltime of each allocation in Slurm's format (default: torc config, else 01:00:00)",
      readable(parseWalltime),
    );
}
