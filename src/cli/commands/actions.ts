/** `torc actions ..`: what a workflow does automatically, and when. */
import type { Command } from 'commander';
import { addListOptions, listOptions } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareActions(program: Command, act: Act): void {
  const list = program
    .command('actions')
    .description('what a workflow does automatically, and when')
    .command('list')
    .description('list the actions of a workflow and the state of their newest firing')
    .argument('[key]', keyArgument);
  addListOptions(list).addHelpText(
    'after',
    examples(
      'torc actions list',
      'torc actions list 7 -f state=failed',
      "torc -F json actions list 7 | jq '.actions[].firings'",
    ),
  );
  act(list, async ([key]) => {
    const { showList } = await import('../input/list.ts');
    return (context) => showList(context, 'actions', listOptions(list), key ?? null);
  });
}
