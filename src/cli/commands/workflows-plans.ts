/** `torc workflows start|cancel|delete|delete-all`, also `torc start|cancel|delete`: each can print its plan instead. */
import { type Command, Option } from 'commander';
import type { DeleteOptions, StartOptions } from '../actions/workflows-start-cancel-delete.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { keyArgument, keysArgument } from './arguments.ts';
import { type Act, examples, pathOf } from './declare.ts';

export function declareStart(group: Command, act: Act): void {
  const path = pathOf(group, 'start');
  const start = group
    .command('start')
    .description('start a stored workflow: its jobs become ready for workers')
    .argument('[key]', keyArgument)
    .option('-i, --ignore-missing-data', 'start even if input files or user data are missing')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText('after', examples(`${path} 7`, `${path} last --dry-run`));
  act(start, async ([key], self) => {
    const { startWorkflow } = await import('../actions/workflows-start-cancel-delete.ts');
    return (context) => startWorkflow(context, key ?? null, self.opts<StartOptions>());
  });
}

export function declareCancel(group: Command, act: Act): void {
  const path = pathOf(group, 'cancel');
  const cancel = group
    .command('cancel')
    .description('cancel workflows: stop their running jobs, cancel the others and their Slurm allocations')
    .argument('[keys...]', keysArgument)
    .option('-d, --dry-run', 'show what would change without changing anything')
    .option('-y, --yes', 'do not ask when a pattern chooses the workflows')
    .addHelpText('after', examples(`${path} 7`, `${path} 3-7,9 --dry-run`, `${path} 'wind*' --yes`));
  act(cancel, async (keys, self) => {
    const { cancelWorkflows } = await import('../actions/workflows-start-cancel-delete.ts');
    return (context) => cancelWorkflows(context, keys, self.opts<PlanOptions>());
  });
}

export function declareDelete(group: Command, act: Act): void {
  const path = pathOf(group, 'delete');
  const remove = group
    .command('delete')
    .description('delete workflows with their jobs and results; files are kept')
    .argument('[keys...]', keysArgument)
    .option('-y, --yes', 'do not ask for confirmation')
    .addOption(new Option('--force').hideHelp())
    .option('-d, --dry-run', 'show what would be deleted without deleting it')
    .addHelpText('after', examples(`${path} 7`, `${path} 3-7,9 --dry-run`, `${path} 'test_*' --yes`));
  act(remove, async (keys, self) => {
    const { deleteWorkflows } = await import('../actions/workflows-start-cancel-delete.ts');
    return (context) => deleteWorkflows(context, keys, self.opts<DeleteOptions>());
  });
}

export function declareDeleteAll(group: Command, act: Act): void {
  const removeAll = group
    .command('delete-all')
    .description('delete all workflows; refused while jobs run in one of them')
    .option('-y, --yes', 'do not ask for confirmation')
    .addOption(new Option('--force').hideHelp())
    .option('-d, --dry-run', 'show what would be deleted without deleting it')
    .addHelpText('after', examples('torc workflows delete-all --dry-run', 'torc workflows delete-all --yes'));
  act(removeAll, async (_, self) => {
    const { deleteAllWorkflows } = await import('../actions/workflows-delete-all.ts');
    return (context) => deleteAllWorkflows(context, self.opts<DeleteOptions>());
  });
}
