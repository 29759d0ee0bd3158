/** `torc run`: a specification from a file to a summary, on this machine. */
import type { Command } from 'commander';
import type { RunOptions } from '../actions/run.ts';
import { addAutoSizeOptions } from '../input/auto-size-options.ts';
import { addResumeOptions, someTime, stdioOption, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';
import { addWorkerOptions } from './worker-options.ts';

export function declareRun(program: Command, act: Act): void {
  const command = program
    .command('run')
    .description('create a workflow, run its jobs on this machine and print a summary')
    .argument('<spec>', 'specification (YAML, JSON), commands file (.txt), or - for standard input')
    .option('--commands', 'read SPEC as a commands file: one command per line')
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('--fail-fast', 'start nothing more after the first failure; cancel what waits')
    .option('--max-failures <n>', 'the same after this many failures', wholeNumber('--max-failures', 1))
    .option('--timeout <duration>', 'start nothing more this long after the start, such as PT2H', someTime)
    .option(
      '--dry-run',
      'check the inputs and show what would run, or with --resume what would change; nothing is stored or run',
    )
    .option('--show-jobs', 'with --dry-run: show all jobs, not only the first ones')
    .addOption(stdioOption());
  addWorkerOptions(addAutoSizeOptions(addResumeOptions(command))).addHelpText(
    'after',
    `
Ends with 0 when every job succeeded, with 1 when jobs failed, with 4 when the workflow already exists, with 7 when all of
it is done, with 8 when the timeout ended the run, with 130 when it was interrupted. Ctrl-C starts no more jobs and lets
running ones finish; a second one stops them, a third one kills them.
${examples(
  'torc run workflow.yaml',
  'torc run sweep.yaml -o results -m 8 --memory 16g',
  'torc run sweep.yaml --fail-fast --timeout 2h',
  'torc run study.yaml --args v1 --resume',
  'seq 100 | sed "s/^/echo /" | torc run - --commands',
  'torc -F json run workflow.yaml | jq .num_failed',
).trimStart()}`,
  );
  act(command, async ([spec = ''], self) => {
    const { runSpec } = await import('../actions/run.ts');
    return (context) => runSpec(context, spec, self.opts<RunOptions>());
  });
}
