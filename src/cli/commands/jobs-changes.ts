/** `torc jobs add|delete|assign-resource-requirements`: the jobs of a stored workflow, one by one. */
import { type Command, Option } from 'commander';
import { typedLabels, typedLimits } from '../../model/labels.ts';
import type { AddJobOptions, DeleteJobsOptions } from '../actions/jobs-changes.ts';
import { attributeOption } from '../input/attributes.ts';
import { envOption } from '../input/environment.ts';
import { collect, someTime, wholeNumberOrLess } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

/** Names separated by commas; a comma in a name is written `\,`. */
export const names = collect<string>((text) =>
  text
    .split(/(?<!\\),/)
    .map((name) => name.replaceAll('\\,', ','))
    .filter((name) => name !== ''),
);

export function declareJobChanges(group: Command, act: Act): void {
  declareAdd(group, act);
  const remove = group
    .command('delete')
    .description('delete jobs of a workflow that has not started')
    .argument('<jobs...>', "jobs of one workflow: keys, names or patterns such as 'sim_*'")
    .option('--cascade', 'also delete all downstream jobs')
    .option('-y, --yes', 'do not ask for confirmation')
    .addOption(new Option('--force').hideHelp())
    .option('--dry-run', 'show what would be deleted without deleting it')
    .addHelpText('after', examples('torc jobs delete 12 13', 'torc jobs delete 12 --cascade --dry-run'));
  act(remove, async (keys, self) => {
    const { deleteJobs } = await import('../actions/jobs-changes.ts');
    return (context) => deleteJobs(context, keys, self.opts<DeleteJobsOptions>());
  });
  const assign = group
    .command('assign-resource-requirements')
    .description('assign other resource requirements to jobs that are not running')
    .argument('<name-or-key>', 'name or key of the requirements')
    .argument('<jobs...>', "jobs of one workflow: keys, names or patterns such as 'sim_*'")
    .option('-y, --yes', 'do not ask when a pattern chooses the jobs')
    .addHelpText(
      'after',
      examples(
        'torc jobs assign-resource-requirements large 12 13',
        "torc jobs assign-resource-requirements large $(torc -F json jobs list -f cause=oom | jq -r '.jobs[].job_key')",
      ),
    );
  act(assign, async ([nameOrKey = '', ...jobs], self) => {
    const { assignRequirements } = await import('../actions/jobs-changes.ts');
    return (context) => assignRequirements(context, nameOrKey, jobs, self.opts<{ yes?: boolean }>());
  });
}

function declareAdd(group: Command, act: Act): void {
  const add = group
    .command('add')
    .description(
      'add a job, even to a running workflow; it waits for the jobs it names and for the producers of its inputs',
    )
    .argument('<name>', 'name, unique in the workflow')
    .requiredOption('--command <command>', 'command to run')
    .option('--invocation-script <command>', 'script that runs the command')
    .option('--depends-on <names>', 'jobs to wait for, separated by commas; may be repeated', names, [])
    .option('--input-file <names>', 'files it reads, by their names in torc files list', names, [])
    .option('--output-file <names>', 'files it writes', names, [])
    .option('--input-user-data <names>', 'user data it reads', names, [])
    .option('--output-user-data <names>', 'user data it writes', names, [])
    .option('-r, --resource-requirements <name>', 'name of its resource requirements')
    .option('--scheduler <name>', 'only workers of this Slurm config take it')
    .option('--labels <a,b>', 'only workers with all of these labels take it', typedLabels)
    .option('--limits <a,b>', 'it runs under these limits: torc limits list -k KEY', typedLimits)
    .option('--failure-handler <name>', 'its failure handler')
    .option('--priority <n>', 'jobs with a larger priority run first', wholeNumberOrLess('the priority'))
    .option('--no-cancel-on-blocking-job-failure', 'run it even when a job that it depends on fails')
    .option('--supports-termination', 'the job writes a checkpoint when it is asked to stop')
    .option('--max-wait <duration>', 'fail it when it is ready for this long without starting', someTime)
    .option('--task-failure-is-success', 'it counts as successful whatever code it exits with')
    .addOption(attributeOption('a text to find it by; may be repeated'))
    .addOption(envOption('an environment variable; only NAME: its value here; may be repeated'))
    .option('--hold', 'it does not start until you release it: torc jobs release')
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
