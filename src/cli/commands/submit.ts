/** `torc submit`: a specification from a file to Slurm. */
import type { Command } from 'commander';
import type { SubmitOptions } from '../actions/submit.ts';
import { addResumeOptions, stdioOption } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareSubmit(program: Command, act: Act): void {
  const command = program
    .command('submit')
    .description('create a workflow and start it on Slurm; its actions schedule the nodes')
    .argument('<spec>', 'specification with an action schedule_nodes on_workflow_start, or - for standard input')
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('--dry-run', 'check and count only; with --resume: show what would change')
    .addOption(stdioOption());
  addResumeOptions(command).addHelpText(
    'after',
    `
The same as torc workflows create and torc workflows start. A specification without such an action is refused: create and
start it, and schedule nodes with torc hpc slurm schedule-nodes.
${examples('torc submit workflow.yaml', 'torc -F json submit workflow.yaml | jq -r .workflow_key').trimStart()}`,
  );
  act(command, async ([spec = ''], self) => {
    const { submitSpec } = await import('../actions/submit.ts');
    return (context) => submitSpec(context, spec, self.opts<SubmitOptions>());
  });
}
