/** `torc docs`: where the documentation is, and which of its pages have certain words. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';

export function declareDocs(program: Command, act: Act): void {
  const docs = program
    .command('docs')
    .description('print where the documentation is, or which of its sections have these words')
    .argument('[words...]', 'words that a section must have, in any order and anywhere in a word')
    .addHelpText(
      'after',
      `
The pages need no server and no network: open the address in a browser. At most
ten sections are shown; those with the words in their heading come first. Ends
with 3 when there is none.
${examples('torc docs', 'torc docs memory restart', 'xdg-open "$(torc docs)"', 'torc -F json docs licences | jq -r .sections[0].url')}`,
    );
  act(docs, async (words) => {
    const { findDocs } = await import('../actions/docs.ts');
    return (context) => findDocs(context, words);
  });
}
