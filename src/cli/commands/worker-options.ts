/** Options of the commands that run jobs on this machine. */
import type { Command } from 'commander';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { namedResources } from '../input/named-resources.ts';
import { collect, decimalNumber, givenLabels, readable, wholeNumber } from '../input/options.ts';

/** The labels and named resources of a worker; jobs that ask for them find it by them. */
export function addLabelOptions(command: Command): Command {
  return command
    .option(
      '--label <name>',
      'a label of this worker, which then takes only jobs that ask for labels that it has; may be repeated',
      collect(givenLabels),
      [],
    )
    .option('--also-unlabelled', 'take jobs without labels too, even though this worker has some')
    .option(
      '--resource <name=n>',
      'a named resource of this node that jobs can ask for, such as fpga=2; may be repeated',
      namedResources,
    );
}

export function addWorkerOptions(command: Command): Command {
  command
    .option('-o, --output <directory>', 'output directory (default: TORC_OUTPUT_DIR or ./torc_output)')
    .option('-m, --max-parallel-jobs <n>', 'run at most this many jobs at a time', wholeNumber('the number of jobs', 1))
    .option(
      '--cpus <n>',
      'CPUs to use (default: those of the machine or allocation)',
      wholeNumber('the number of CPUs', 1),
    )
    .option('--memory <size>', 'memory to use, such as 64g (default: that of the machine)', readable(parseMemory))
    .option('--gpus <n>', 'GPUs to use (default: those of the machine)', wholeNumber('the number of GPUs', 0))
    .option('--pin', 'bind each job to CPUs of its own (TORC_CPUS), unless the job states pin: false')
    .option(
      '-t, --time-limit <duration>',
      'stop after this ISO 8601 duration, such as PT2H (default: no limit)',
      readable(parseDuration),
    )
    .option(
      '-p, --poll-interval <seconds>',
      'ignored, kept for old scripts: workers get new work at once',
      decimalNumber('the interval', 0.1),
    )
    .option('-w, --wait <minutes>', 'wait this long for an unreachable server', decimalNumber('the wait', 0));
  return addLabelOptions(command);
}
