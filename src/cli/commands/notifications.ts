/** `torc notifications list|test`: who is notified when workflows end or jobs fail, and the state of the messages. */
import type { Command } from 'commander';
import { addListOptions, listOptions } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareNotifications(program: Command, act: Act): void {
  const group = program
    .command('notifications')
    .description('who is notified when workflows end or jobs fail: by e-mail, webhook or command');
  const list = group
    .command('list')
    .description('list the notification rules of a workflow and the state of their messages')
    .argument('[key]', keyArgument);
  addListOptions(list).addHelpText(
    'after',
    examples(
      'torc notifications list',
      'torc notifications list 7 -f state=failed',
      "torc -F json notifications list 7 | jq '.notifications[].messages'",
    ),
  );
  act(list, async ([key]) => {
    const { showList } = await import('../input/list.ts');
    return (context) => showList(context, 'notifications', listOptions(list), key ?? null);
  });
  const test = group
    .command('test')
    .description('send a test message to each of them now, and show whether it was sent')
    .argument('[key]', keyArgument)
    .option('--only <notification-key>', 'only this rule')
    .option('--dry-run', 'print the message and send nothing')
    .addHelpText(
      'after',
      `${examples(
        'torc notifications test 7',
        'torc notifications test 7 --only 3',
        'torc notifications test 7 --dry-run',
      )}\nExits with 1 when a message was not sent.\n`,
    );
  act(test, async ([key], self) => {
    const { testNotifications } = await import('../actions/notifications.ts');
    return (context) => testNotifications(context, key ?? null, self.opts());
  });
}
