/** `torc workflows export|import|create-from-json-file|template`: workflows as documents. */
import { type Command, Option } from 'commander';
import type { CrateOptions } from '../actions/export-ro-crate.ts';
import type { CreateOptions } from '../actions/workflows-create.ts';
import type { ExportOptions } from '../actions/workflows-export-import.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareExchange(group: Command, act: Act): void {
  const create = group
    .command('create-from-json-file')
    .description('store a workflow from a JSON specification without starting it')
    .argument('<file>', 'specification in JSON, or - for standard input')
    .option('--dry-run', 'check and count only; store nothing')
    .option('--show-jobs', 'with --dry-run: list every job with its command and dependencies')
    .addHelpText('after', examples('torc workflows create-from-json-file workflow.json'));
  act(create, async ([file = ''], self) => {
    const { createFromSpec } = await import('../actions/workflows-create.ts');
    return (context) => createFromSpec(context, file, self.opts<CreateOptions>(), 'json');
  });
  const template = group
    .command('template')
    .description('print a commented specification to fill in')
    .addHelpText('after', examples('torc workflows template > workflow.yaml'));
  act(template, async () => {
    const { specTemplate } = await import('../documents/spec-template.ts');
    return async (context) => void (await context.terminal.out(specTemplate));
  });
  const write = group
    .command('export')
    .description('export a workflow as JSON: its specification and, if asked, its results and events')
    .argument('[key]', keyArgument)
    .option('-o, --output <file>', 'write to this file (default: standard output)')
    .option('--results', 'include the results and statuses of its jobs')
    .option('--events', 'include its events')
    .addOption(
      new Option(
        '--ro-crate <path>',
        'write the run as an RO-Crate into this new folder, or this new .zip file',
      ).conflicts(['output', 'results', 'events']),
    )
    .option('--no-hashes', 'with --ro-crate: do not read files for their checksums')
    .addHelpText(
      'after',
      examples(
        'torc workflows export 7 --results -o run.json',
        'torc workflows export 7 | torc workflows create -           # a copy without results',
        'torc workflows export 7 | jq .workflow > workflow.json      # only the specification',
        'torc workflows export 7 --ro-crate run-of-7                 # for an archive: who ran what, when, on which files',
        'torc workflows export 7 --ro-crate run-of-7.zip             # the same as one file',
      ),
    );
  act(write, async ([key], self) => {
    const crate = self.opts<Partial<CrateOptions>>();
    if (crate.roCrate !== undefined) {
      const { exportCrate } = await import('../actions/export-ro-crate.ts');
      return (context) => exportCrate(context, key ?? null, crate as CrateOptions);
    }
    const { exportWorkflow } = await import('../actions/workflows-export-import.ts');
    return (context) => exportWorkflow(context, key ?? null, self.opts<ExportOptions>());
  });
  const read = group
    .command('import')
    .description('store an exported workflow, with its results, under a new key')
    .argument('<file>', 'file written by torc workflows export, or - for standard input')
    .addHelpText('after', examples('torc workflows import run.json'));
  act(read, async ([file = '']) => {
    const { importWorkflow } = await import('../actions/workflows-export-import.ts');
    return (context) => importWorkflow(context, file);
  });
}
