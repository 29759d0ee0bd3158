/** `torc workflows modify|set-compute-node-parameters|add-jobs-from-commands-file`: changes of a stored workflow. */
import type { Command } from 'commander';
import type { AddedCommandsOptions } from '../actions/workflows-add-jobs.ts';
import type { ModifyWorkflowOptions, NodeParameters } from '../actions/workflows-changes.ts';
import { stdioOption, wholeNumber } from '../input/options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareChanges(group: Command, act: Act): void {
  const modify = group
    .command('modify')
    .description('change what is said of a workflow, or put it away')
    .argument('[key]', keyArgument)
    .option('--name <name>', 'its name')
    .option('--description <text>', "what it is about; '' removes it")
    .option('--project <name>', "what it belongs to; '' removes it")
    .option('--metadata <json>', 'anything that JSON can say; null removes it')
    .addOption(stdioOption('where the output of jobs goes, of workers that begin from now on'))
    .option('--archive', 'leave it out of lists, and never take it as the only workflow')
    .option('--unarchive', 'show it again')
    .addHelpText(
      'after',
      examples('torc workflows modify 7 --archive', "torc workflows modify 7 --name 'second try' --project wind"),
    );
  act(modify, async ([key], self) => {
    const { modifyWorkflow } = await import('../actions/workflows-changes.ts');
    return (context) => modifyWorkflow(context, key ?? null, self.opts<ModifyWorkflowOptions>());
  });
  const parameters = group
    .command('set-compute-node-parameters')
    .description('change how workers that begin from now on behave')
    .argument('[key]', keyArgument)
    .option(
      '-e, --expiration-buffer <seconds>',
      'end so long before the allocation does',
      wholeNumber('the expiration buffer', 0),
    )
    .option(
      '-h, --wait-for-healthy-database <minutes>',
      'how long to run on without a server',
      wholeNumber('the wait for the server', 0),
    )
    .option('-i, --ignore-workflow-completion', 'stay until the allocation ends')
    .option('--no-ignore-workflow-completion', 'end with the workflow')
    .option(
      '-w, --wait-for-new-jobs <seconds>',
      'how long to wait for jobs that fit',
      wholeNumber('the wait for new jobs', 0),
    )
    .addHelpText('after', examples('torc workflows set-compute-node-parameters 7 -e 300 -w 600'));
  act(parameters, async ([key], self) => {
    const { setNodeParameters } = await import('../actions/workflows-changes.ts');
    return (context) => setNodeParameters(context, key ?? null, self.opts<NodeParameters>());
  });
  declareAddJobs(group, act);
}

function declareAddJobs(group: Command, act: Act): void {
  const add = group
    .command('add-jobs-from-commands-file')
    .description('add one job for each line of a file, also to a workflow that runs')
    .argument('<key>', 'workflow key')
    .argument('<file>', 'one shell command on each line; - for standard input')
    .option('-c, --cpus <n>', 'CPUs of each job', wholeNumber('the number of CPUs', 1))
    .option('-m, --memory <size>', 'memory of each job, such as 2g')
    .option('-r, --runtime <duration>', 'longest runtime of each job, in ISO 8601 such as PT30M')
    .option('--scheduler <name>', 'name of the Slurm config whose workers alone take them')
    .option('--failure-handler <name>', 'name of what follows their failures')
    .addHelpText(
      'after',
      examples(
        'torc workflows add-jobs-from-commands-file 7 more.txt',
        'torc workflows add-jobs-from-commands-file 7 more.txt -c 2 -m 4g -r PT1H',
      ),
    );
  act(add, async ([key = '', file = ''], self) => {
    const { addJobsFromCommandsFile } = await import('../actions/workflows-add-jobs.ts');
    return (context) => addJobsFromCommandsFile(context, key, file, self.opts<AddedCommandsOptions>());
  });
}
