/** `torc files ..`: the files that jobs read and write. */
import type { Command } from 'commander';
import { type Act, examples } from './declare.ts';
import { declareList } from './lists.ts';

export function declareFiles(program: Command, act: Act): void {
  const group = program.command('files').description('the files that jobs read and write');
  declareList(
    group
      .command('list')
      .description('list the files that a workflow declares')
      .addHelpText('after', examples('torc files list', 'torc -F csv files list -k 3 > files.csv')),
    'files',
    act,
  );
  const add = group
    .command('add')
    .description('declare a file, so that jobs added later can read or write it')
    .argument('<name>', 'name, unique in the workflow')
    .requiredOption('--path <path>', 'path of the file')
    .addHelpText('after', examples('torc files add table --path results/table.csv'));
  act(add, async ([name = ''], self) => {
    const { addFile } = await import('../actions/files.ts');
    return (context) => addFile(context, name, self.opts<{ path: string }>().path);
  });
  const remove = group
    .command('delete')
    .description('remove the declaration of a file that no job uses; the file itself is kept')
    .argument('<files...>', "names, keys or patterns such as 'out_*'")
    .option('-y, --yes', 'do not ask when a pattern chooses the files')
    .addHelpText('after', examples('torc files delete table', "torc files delete 'out_*'"));
  act(remove, async (files, self) => {
    const { deleteFiles } = await import('../actions/files.ts');
    return (context) => deleteFiles(context, files, self.opts<{ yes?: boolean }>());
  });
}
