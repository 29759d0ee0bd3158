/** `torc complete`: what completion scripts ask for when a key or a name is wanted. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';

export function declareComplete(program: Command, act: Act): void {
  const command = program
    .command('complete', { hidden: true })
    .description('print what a word may be completed to')
    .argument('<kind>')
    .argument('[prefix]')
    .argument('[words...]')
    .addHelpText('after', examples('torc complete jobs sim_ -- -k 7'));
  act(command, async ([kind = '', prefix = '', ...words]) => {
    const { printCandidates } = await import('../actions/complete.ts');
    return (context) => printCandidates(context, kind, prefix, words);
  });
}
