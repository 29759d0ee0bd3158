/** `torc workflows archive|unarchive|is-complete`. */
import type { Command } from 'commander';
import { keyArgument, keysArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareArchive(group: Command, act: Act): void {
  for (const isArchived of [true, false]) {
    const archive = group
      .command(isArchived ? 'archive' : 'unarchive')
      .description(
        isArchived ? 'hide workflows from lists; their results stay' : 'show archived workflows in lists again',
      )
      .argument('[keys...]', keysArgument)
      .option('-y, --yes', 'do not ask when a pattern chooses the workflows')
      .addHelpText(
        'after',
        isArchived
          ? examples(
              'torc workflows archive 7',
              "torc workflows archive 3-7 'test_*'",
              'torc workflows list --only-archived',
            )
          : examples('torc workflows unarchive 7'),
      );
    act(archive, async (words, self) => {
      const { archiveWorkflows } = await import('../actions/workflows-archive.ts');
      return (context) => archiveWorkflows(context, words, isArchived, self.opts<{ yes?: boolean }>());
    });
  }
  const complete = group
    .command('is-complete')
    .description('say whether a workflow has ended; the exit code is 1 while it has not')
    .argument('[key]', keyArgument)
    .addHelpText(
      'after',
      examples('torc workflows is-complete 7', 'until torc workflows is-complete 7; do sleep 60; done'),
    );
  act(complete, async ([key]) => {
    const { showIsComplete } = await import('../actions/workflows-archive.ts');
    return (context) => showIsComplete(context, key ?? null);
  });
}
