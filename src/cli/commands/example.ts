/** `torc example`: the examples that come with torc. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';

export function declareExample(program: Command, act: Act): void {
  const command = program
    .command('example')
    .description('copy an example into a new directory; without a name, list the examples')
    .argument('[example]', 'name of the example')
    .argument('[directory]', 'where the copy goes (default: the name of the example)')
    .addHelpText(
      'after',
      examples(
        'torc example                        # each in one sentence',
        'torc example word-count             # into ./word-count',
        'torc example monte-carlo ~/study',
      ),
    );
  act(command, async ([name, directory]) => {
    const { copyExample, listExamples } = await import('../actions/example.ts');
    return (context) => (name === undefined ? listExamples(context) : copyExample(context, name, directory));
  });
}
