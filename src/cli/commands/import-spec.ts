/** `torc import-spec`: a workflow of another system as a specification. */
import type { Command } from 'commander';
import { specSyntaxes } from '../../model/spec/source.ts';
import { foreignSystems } from '../../model/translate/systems.ts';
import type { ImportSpecOptions } from '../actions/import-spec.ts';
import { oneOf } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareImportSpec(program: Command, act: Act): void {
  const command = program
    .command('import-spec')
    .description('print the workflow of another system as a specification, and report what has no counterpart')
    .argument('<file>', 'the document of the other system, or - for standard input')
    .requiredOption(
      '--from <system>',
      `the other system: ${foreignSystems.join(', ')}`,
      oneOf(foreignSystems, 'a system whose workflows torc reads'),
    )
    .option('-o, --output <file>', 'write to this file (default: standard output)')
    .option(
      '--format <format>',
      'yaml, json, json5 or kdl (default: from the extension of -o, else yaml)',
      oneOf(specSyntaxes, 'a format of specifications'),
    )
    .addHelpText(
      'after',
      `
What could not be translated is reported on stderr and in comments at the beginning of the specification (JSON has none).
Exit code: 0 when everything was translated, 1 when something was left out: the specification is written anyway.
${examples(
  'torc import-spec --from prominence workflow.json -o workflow.yaml',
  'torc import-spec --from prominence workflow.json | torc run -',
  'torc import-spec --from colonies functions.json -o workflow.yaml',
  'torc -F json import-spec --from prominence workflow.json | jq .left_out',
).trimStart()}`,
    );
  act(command, async ([file = ''], self) => {
    const { importSpec } = await import('../actions/import-spec.ts');
    return (context) => importSpec(context, file, self.opts<ImportSpecOptions>());
  });
}
