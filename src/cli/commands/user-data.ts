/** `torc user-data ..`: JSON documents that jobs pass to each other through the database. */
import type { Command } from 'commander';
import type { UserDataOptions } from '../actions/user-data.ts';
import { type Act, examples } from './declare.ts';
import { declareList } from './lists.ts';

export function declareUserData(program: Command, act: Act): void {
  const group = program.command('user-data').description('JSON documents that jobs read and write');
  declareList(
    group
      .command('list')
      .description('list the user data of a workflow')
      .addHelpText(
        'after',
        examples(
          'torc user-data list',
          'torc user-data list -x data',
          "torc -F json user-data list | jq '.user_data[] | select(.data == null) | .name'",
        ),
      ),
    'user_data',
    act,
  );
  declareShow(group, act);
  declareChanges(group, act);
}

const nameOrKeyArgument = 'name or key';

function declareShow(group: Command, act: Act): void {
  const show = group
    .command('show')
    .alias('get')
    .description('print the JSON document, or null if there is none yet')
    .argument('<name-or-key>', nameOrKeyArgument)
    .addHelpText(
      'after',
      examples(
        'torc user-data show result',
        'torc user-data get result | jq .accuracy      # in a job: of its own workflow',
      ),
    );
  act(show, async ([nameOrKey = '']) => {
    const { showUserData } = await import('../actions/user-data.ts');
    return (context) => showUserData(context, nameOrKey);
  });
}

function addDataOptions(command: Command): Command {
  return command
    .argument('[-]', 'read the JSON from standard input')
    .option('--data <json>', 'JSON document; null removes it')
    .option('--file <file>', 'read it from this file (- for standard input)')
    .option('--ephemeral', 'restarts clear it, so that its producer runs again')
    .option('--no-ephemeral', 'restarts keep it');
}

function declareChanges(group: Command, act: Act): void {
  const modify = addDataOptions(
    group
      .command('modify')
      .alias('set')
      .description('replace the document; a restart reruns the jobs that read the old one')
      .argument('<name-or-key>', nameOrKeyArgument),
  ).addHelpText(
    'after',
    examples(
      `torc user-data modify limits --data '{"low": 0.1, "high": 0.9}'`,
      'torc user-data set result --file out.json      # in a job: of its own workflow',
      './measure --json | torc user-data set result -',
    ),
  );
  act(modify, async ([nameOrKey = '', source], self) => {
    const { modifyUserData } = await import('../actions/user-data.ts');
    return (context) => modifyUserData(context, nameOrKey, source ?? null, self.opts<UserDataOptions>());
  });
  const add = addDataOptions(
    group
      .command('add')
      .description('add a document that the specification does not declare')
      .argument('<name>', 'name, unique in the workflow'),
  ).addHelpText('after', examples(`torc user-data add notes --data '["second try"]'`));
  act(add, async ([name = '', source], self) => {
    const { addUserData } = await import('../actions/user-data.ts');
    return (context) => addUserData(context, name, source ?? null, self.opts<UserDataOptions>());
  });
  const remove = group
    .command('delete')
    .description('delete a document that no job uses')
    .argument('<documents...>', "names, keys or patterns such as 'part_*'")
    .option('-y, --yes', 'do not ask when a pattern chooses the documents')
    .addHelpText('after', examples('torc user-data delete notes', "torc user-data delete 'part_*'"));
  act(remove, async (documents, self) => {
    const { deleteUserData } = await import('../actions/user-data.ts');
    return (context) => deleteUserData(context, documents, self.opts<{ yes?: boolean }>());
  });
}
