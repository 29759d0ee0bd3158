/** `torc submit`: a specification from a file to Slurm. */
import type { Command } from 'commander';
import { mostOfAutoscaler } from '../../model/decide/autoscaling-maximum.ts';
import type { SubmitOptions } from '../actions/submit.ts';
import { addAutoSizeOptions } from '../input/auto-size-options.ts';
import { addResumeOptions, stdioOption, wholeNumber } from '../input/options.ts';
import { maxRecoveriesOption } from '../input/recovery-options.ts';
import { type Act, examples } from './declare.ts';
import { addSubmissionOptions } from './submission-options.ts';

export function declareSubmit(program: Command, act: Act): void {
  const command = program
    .command('submit')
    .description('create a workflow, start it and submit its allocations to Slurm')
    .argument('<spec>', 'specification (YAML, JSON), commands file (.txt), or - for standard input');
  addSubmissionOptions(command)
    .option(
      '-m, --max-parallel-jobs <n>',
      'run at most this many jobs at a time on each worker',
      wholeNumber('the number of jobs', 1, mostOfAutoscaler),
    )
    .option('--autoscale', 'let the server ask for nodes while jobs wait, instead of -n')
    .option(
      '--max <nodes>',
      'with --autoscale: at most this many nodes at a time (default: 10)',
      wholeNumber('--max', 1, mostOfAutoscaler),
    )
    .option('--recover', 'let the server recover the workflow when a run fails, as torc recover does')
    .addOption(maxRecoveriesOption())
    .option('-o, --output <directory>', 'output directory (default: TORC_OUTPUT_DIR or ./torc_output)')
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('--force', 'submit even if some jobs fit into no allocation or node of the cluster')
    .option('--yes', 'submit planned allocations without a question')
    .option('--dry-run', 'check and count only; with --resume: show what would change')
    .addOption(stdioOption());
  addAutoSizeOptions(addResumeOptions(command)).addHelpText(
    'after',
    `
The options -a, -p, -q and -t replace what the Slurm config of the specification says; without one, they make one. A
specification with an action schedule_nodes on_workflow_start submits its allocations itself, and needs no -n. With
--autoscale the server submits as many as jobs wait for; torc workflows autoscale changes how.

With --recover a failed run is followed by another one as torc recover makes it, up to --max-recoveries times; torc watch --recover
and torc workflows modify --max-recoveries change that.

Without those and without slurm_schedulers, torc plans the allocations (torc hpc slurm plan), shows the plan and asks; with --yes it
does not ask.

Ends with 6 and the words of Slurm when it refuses an allocation. The workflow is then stored and started: change its Slurm
config and submit with torc hpc slurm schedule-nodes.
${examples(
  'torc submit workflow.yaml -n 2 -p short -t 1:00:00 -a acct',
  'torc submit commands.txt -n 1 -a acct',
  'torc submit workflow.yaml --autoscale --max 20 --recover',
  'torc submit workflow.yaml    # schedules its nodes itself, or has them planned',
  'torc -F json submit workflow.yaml | jq -r .workflow_key',
).trimStart()}`,
  );
  act(command, async ([spec = ''], self) => {
    const { submitSpec } = await import('../actions/submit.ts');
    return (context) => submitSpec(context, spec, self.opts<SubmitOptions>());
  });
}
