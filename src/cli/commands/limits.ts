/** `torc limits set|list|delete`: how many jobs that name a limit run at once. */
import type { Command } from 'commander';
import { addListOptions, listOptions, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

const nameArgument = 'what jobs name, such as matlab';

export function declareLimits(program: Command, act: Act): void {
  const group = program
    .command('limits')
    .description('how many jobs that name a limit run at once, over all workflows or (-k) in one');
  const set = group
    .command('set')
    .description('create or change a limit, also while jobs run; running jobs continue')
    .argument('<name>', nameArgument)
    .argument('<n>', 'how many at once; 0: none', wholeNumber('the limit', 0))
    .addHelpText(
      'after',
      examples(
        'torc limits set matlab 3         # licences: counts the jobs of all workflows of this server directory',
        'torc limits set matlab 2 -k 7    # only of workflow 7, instead of the shared one',
      ),
    );
  act(set, async ([name = ''], self) => {
    const { setLimit } = await import('../actions/limits.ts');
    return (context) => setLimit(context, name, Number(self.processedArgs[1]));
  });
  const list = group
    .command('list')
    .description('show the shared limits, or those that apply to a workflow, and what runs under them')
    .argument('[key]', 'workflow: key or name, last for the newest (default: -k, else the shared limits)')
    .addHelpText('after', examples('torc limits list', 'torc limits list 7', 'torc limits list -f name=matlab'));
  act(addListOptions(list), async ([key = null]) => {
    const { listLimits } = await import('../actions/limits.ts');
    return (context) => listLimits(context, key, listOptions(list));
  });
  const remove = group
    .command('delete')
    .description('delete a limit; its jobs then run without one, or under the shared limit of that name')
    .argument('<name>', nameArgument)
    .addHelpText('after', examples('torc limits delete matlab', 'torc limits delete matlab -k 7'));
  act(remove, async ([name = '']) => {
    const { deleteLimit } = await import('../actions/limits.ts');
    return (context) => deleteLimit(context, name);
  });
}
