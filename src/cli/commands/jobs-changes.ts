/** `torc jobs add|delete|assign-resource-requirements`: the jobs of a stored workflow, one by one. */
import type { Command } from 'commander';
import type { AddJobOptions, DeleteJobsOptions } from '../actions/jobs-changes.ts';
import { collect, wholeNumberOrLess } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

/** Names between commas; a comma of a name is written `\,`. */
const names = collect<string>((text) =>
  text
    .split(/(?<!\\),/)
    .map((name) => name.replaceAll('\\,', ','))
    .filter((name) => name !== ''),
);

export function declareJobChanges(group: Command, act: Act): void {
  declareAdd(group, act);
  const remove = group
    .command('delete')
    .description('delete jobs of a workflow that was not started')
    .argument('<keys...>', 'job keys')
    .option('--cascade', 'also all jobs that depend on them')
    .option('--force', 'do not ask')
    .option('--dry-run', 'print what would be deleted; delete nothing')
    .addHelpText('after', examples('torc jobs delete 12 13', 'torc jobs delete 12 --cascade --dry-run'));
  act(remove, async (keys, self) => {
    const { deleteJobs } = await import('../actions/jobs-changes.ts');
    return (context) => deleteJobs(context, keys, self.opts<DeleteJobsOptions>());
  });
  const assign = group
    .command('assign-resource-requirements')
    .description('give jobs that are not running other resource requirements')
    .argument('<name-or-key>', 'name or key of the requirements')
    .argument('<job-keys...>', 'job keys')
    .addHelpText(
      'after',
      examples(
        'torc jobs assign-resource-requirements large 12 13',
        "torc jobs assign-resource-requirements large $(torc -F json jobs list -f cause=oom | jq -r '.jobs[].job_key')",
      ),
    );
  act(assign, async ([nameOrKey = '', ...keys]) => {
    const { assignRequirements } = await import('../actions/jobs-changes.ts');
    return (context) => assignRequirements(context, nameOrKey, keys);
  });
}

function declareAdd(group: Command, act: Act): void {
  const add = group
    .command('add')
    .description('add a job, also to a workflow that runs; it waits for what it names and for who writes what it reads')
    .argument('<name>', 'its name, unique in the workflow')
    .requiredOption('--command <command>', 'what it runs')
    .option('--invocation-script <command>', 'what runs the command')
    .option('--depends-on <names>', 'names of the jobs to wait for, between commas; may be repeated', names, [])
    .option('--input-file <names>', 'files that it reads, by the names of torc files list', names, [])
    .option('--output-file <names>', 'files that it writes', names, [])
    .option('--input-user-data <names>', 'user data that it reads', names, [])
    .option('--output-user-data <names>', 'user data that it writes', names, [])
    .option('-r, --resource-requirements <name>', 'name of what it asks for')
    .option('--scheduler <name>', 'name of the Slurm config whose workers alone take it')
    .option('--failure-handler <name>', 'name of what follows its failure')
    .option('--priority <n>', 'larger goes first', wholeNumberOrLess('the priority'))
    .option('--no-cancel-on-blocking-job-failure', 'run it also when what it waits for fails')
    .option('--supports-termination', 'it writes a checkpoint when it is told to end')
    .addHelpText(
      'after',
      examples(
        "torc jobs add report --command 'python report.py' --depends-on train,test",
        "torc jobs add plot --command 'plot results/table.csv' --input-file table -r small -k 7",
      ),
    );
  act(add, async ([name = ''], self) => {
    const { addJob } = await import('../actions/jobs-changes.ts');
    return (context) => addJob(context, name, self.opts<AddJobOptions>());
  });
}
