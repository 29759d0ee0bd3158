/** `torc jobs add-children`: what running jobs do to their workflow. */
import type { Command } from 'commander';
import type { AddChildrenOptions } from '../actions/jobs-add-children.ts';
import { type Act, examples } from './declare.ts';
import { names } from './jobs-changes.ts';

const more = `
The file is a list of jobs as in a specification (YAML, JSON, JSON5 or KDL), or a mapping with \`jobs\`; sweeps and
templates work. Requirements, handlers, files and other jobs are those of the workflow, by name. All are added or none.
A retried attempt that adds the same jobs again finds them: nothing is added twice. Another definition under the same
name is refused, and so is a job that no longer waits in --before.`;

export function declareChildren(group: Command, act: Act): void {
  const add = group
    .command('add-children')
    .description('add jobs from within a running job; they wait for it, and other jobs may wait for them')
    .argument('[file]', 'a list of jobs, or - for standard input', '-')
    .option('--before <names>', 'jobs that wait for all of them, separated by commas; may be repeated', names, [])
    .option('--now', 'they do not wait for the job that adds them')
    .option('--commands', 'the file has one shell command on each line')
    .option('--prefix <name>', 'with --commands: their names are NAME_1, NAME_2 ..; by default that of the job')
    .option('-r, --resource-requirements <name>', 'with --commands: name of their resource requirements')
    .option('--attempt <key>', 'the running attempt that adds them; by default the one of this process')
    .option('--dry-run', 'show what would be added without adding it')
    .addHelpText('after', more)
    .addHelpText(
      'after',
      examples(
        'torc jobs add-children children.yaml --before reduce',
        "seq 1 5 | sed 's/^/python gen.py /' | torc jobs add-children --commands --before reduce",
        `echo '[{"name": "check", "command": "python check.py"}]' | torc jobs add-children`,
      ),
    );
  act(add, async ([file = '-'], self) => {
    const { addChildren } = await import('../actions/jobs-add-children.ts');
    return (context) => addChildren(context, file, self.opts<AddChildrenOptions>());
  });
}
