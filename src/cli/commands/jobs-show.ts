/** `torc jobs show|diagnose|logs`: the state of single jobs. */
import type { Command } from 'commander';
import { jobArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';
import { declareShow } from './logs.ts';

export function declareJobShow(group: Command, act: Act): void {
  const diagnose = group
    .command('diagnose')
    .description('explain why started jobs have no result: what happened to their workers, nodes and Slurm jobs')
    .argument('[jobs...]', 'keys, names or patterns (default: all jobs of the workflow)')
    .addHelpText(
      'after',
      examples('torc jobs diagnose', 'torc jobs diagnose 12 13', 'torc -F json jobs diagnose -k 7'),
    );
  act(diagnose, async (keys) => {
    const { diagnoseJobs } = await import('../actions/jobs-diagnose.ts');
    return (context) => diagnoseJobs(context, keys);
  });
  const show = group
    .command('show')
    .description('show everything about a job: why it is not running, its attempts, what it waits for')
    .argument('<job>', jobArgument)
    .addHelpText(
      'after',
      examples('torc jobs show 12', 'torc jobs show train -k 7', 'torc -F json jobs show 12 | jq -r .why'),
    );
  act(show, async ([key = '']) => {
    const { showJob } = await import('../actions/jobs-show.ts');
    return (context) => showJob(context, key);
  });
  declareShow(group.command('logs'), 'torc jobs logs', act);
}
