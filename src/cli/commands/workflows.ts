/** `torc workflows ..`: from a specification to a deleted workflow. */
import type { Command } from 'commander';
import type { CommandsFileOptions, CreateOptions } from '../actions/workflows-create.ts';
import { addAutoSizeOptions } from '../input/auto-size-options.ts';
import { addListOptions, addResumeOptions, listOptions, stdioOption, wholeNumber } from '../input/options.ts';
import { addStateOptions, workflowStates } from '../input/state-options.ts';
import { keyArgument } from './arguments.ts';
import { declareAutoscale } from './autoscaling.ts';
import { declareCopies } from './copies.ts';
import { type Act, examples, pathOf } from './declare.ts';
import { declareGraph } from './graphs.ts';
import { declareWorkflowPauses } from './pauses.ts';
import { declareCorrectResources } from './reports.ts';
import { declareArchive } from './workflows-archive.ts';
import { declareChanges } from './workflows-changes.ts';
import { declareExchange } from './workflows-documents.ts';
import { declareCancel, declareDelete, declareDeleteAll, declareStart } from './workflows-plans.ts';
import { declareRecovery } from './workflows-restart.ts';

export function declareWorkflows(program: Command, act: Act): void {
  const group = program
    .command('workflows')
    .description('create, start, inspect, restart, cancel and delete workflows');
  declareCreate(group, act);
  declareCreateFromCommands(group, act);
  declareSchema(group, act);
  declareExchange(group, act);
  declarePlans(group, act);
  declareRecovery(group, act);
  declareCopies(group, act);
  declareChanges(group, act);
  declareArchive(group, act);
  declareWorkflowPauses(group, act);
  declareAutoscale(group, act);
  declareShow(group, act);
  declareGraph(group.command('graph'), 'torc workflows graph', act);
  declareWorkflowList(group, act);
  declareRuns(group, act);
  declareCorrectResources(group, act);
}

function declareRuns(group: Command, act: Act): void {
  const runs = addListOptions(group.command('runs'))
    .description('list the runs of a workflow: who started each, how, and with what result')
    .argument('[key]', keyArgument)
    .addHelpText(
      'after',
      examples(
        'torc workflows runs 7',
        'torc workflows runs 7 -f how=restart',
        "torc -F json workflows runs 7 | jq '.runs[-1]'",
      ),
    );
  act(runs, async ([key], self) => {
    const { showList } = await import('../input/list.ts');
    return (context) => showList(context, 'runs', listOptions(self), key ?? null);
  });
}

/** Of `torc workflows` or of the program. */
export function declareWorkflowList(group: Command, act: Act): void {
  const path = pathOf(group, 'list');
  const list = group
    .command('list')
    .description('list the workflows that are not archived, or those that are named')
    .argument('[keys...]', 'keys, names, ranges such as 3-7, patterns')
    .option('-A, --only-archived', 'only archived workflows')
    .option('-i, --include-archived', 'include archived workflows')
    .option('-a, --all-users', 'workflows of all users (default without -U)');
  addListOptions(addStateOptions(list, workflowStates)).addHelpText(
    'after',
    examples(path, `${path} --running`, `${path} 3-7,9`, `${path} 'wind*' -f status=failed`, `${path} -U alice -A`),
  );
  act(list, async (words, self) => {
    const { listWorkflows } = await import('../actions/workflows-list.ts');
    return (context) => listWorkflows(context, words, { ...self.opts<object>(), ...listOptions(self, workflowStates) });
  });
}

/** Of `torc workflows` or of the program. */
export function declareCreate(group: Command, act: Act): void {
  const path = pathOf(group, 'create');
  const create = group
    .command('create')
    .description('store a workflow without starting it')
    .argument('<spec>', 'specification in YAML, JSON, JSON5 or KDL, or - for standard input')
    .option('--start', 'start it as well')
    .option('--dry-run', 'check and count only; store nothing')
    .option('--show-jobs', 'with --dry-run: list every job with its command and dependencies')
    .addOption(stdioOption());
  addAutoSizeOptions(addResumeOptions(create)).addHelpText(
    'after',
    examples(
      `${path} workflow.yaml`,
      `${path} workflow.yaml --start`,
      `${path} sweep.yaml --dry-run --show-jobs`,
      `KEY=$(${path} workflow.yaml -F json | jq -r .workflow_key)`,
    ),
  );
  act(create, async ([spec = ''], self) => {
    const { createFromSpec } = await import('../actions/workflows-create.ts');
    return (context) => createFromSpec(context, spec, self.opts<CreateOptions>());
  });
}

function declareCreateFromCommands(group: Command, act: Act): void {
  const create = group
    .command('create-from-commands-file')
    .description('store a workflow with one job per line of a file, without starting it')
    .argument('<file>', 'one shell command per line (empty lines and # comments are skipped), or - for standard input')
    .option('-c, --cpus <n>', 'CPUs of each job', wholeNumber('the number of CPUs', 1))
    .option('-m, --memory <size>', 'memory of each job, such as 2g')
    .option('-r, --runtime <duration>', 'maximum runtime of each job as an ISO 8601 duration, such as PT30M')
    .option('--name <name>', 'name of the workflow (default: the name of the file)')
    .option('--dry-run', 'check and count only; store nothing')
    .option('--show-jobs', 'with --dry-run: list every job with its command')
    .addOption(stdioOption());
  addAutoSizeOptions(addResumeOptions(create)).addHelpText(
    'after',
    examples(
      'torc workflows create-from-commands-file commands.txt',
      'torc workflows create-from-commands-file commands.txt -c 2 -m 4g -r PT1H',
    ),
  );
  act(create, async ([file = ''], self) => {
    const { createFromCommandsFile } = await import('../actions/workflows-create.ts');
    return (context) => createFromCommandsFile(context, file, self.opts<CommandsFileOptions>());
  });
}

function declareSchema(group: Command, act: Act): void {
  const schema = group
    .command('schema')
    .description('print the format of specifications as JSON Schema, for editors')
    .addHelpText('after', examples('torc workflows schema > torc.schema.json'));
  act(schema, async () => {
    const { printSchema } = await import('../actions/workflows-schema.ts');
    return printSchema;
  });
}

function declarePlans(group: Command, act: Act): void {
  declareStart(group, act);
  declareCancel(group, act);
  declareDelete(group, act);
  declareDeleteAll(group, act);
}

function declareShow(group: Command, act: Act): void {
  const show = group
    .command('show')
    .description('show everything about a workflow')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc workflows show 7', 'torc -F json workflows show 7 | jq .counts'));
  act(show, async ([key]) => {
    const { showWorkflow } = await import('../actions/workflows-show.ts');
    return (context) => showWorkflow(context, key ?? null);
  });
  const status = group
    .command('show-status')
    .description('show the progress of a workflow: its status and its jobs by status')
    .argument('[key]', keyArgument)
    .addHelpText('after', examples('torc workflows show-status 7', 'watch torc workflows show-status 7'));
  act(status, async ([key]) => {
    const { showStatus } = await import('../actions/workflows-show.ts');
    return (context) => showStatus(context, key ?? null);
  });
  const example = group
    .command('example')
    .description(
      'print the specification of an example; without a name, list the examples (torc example copies all files)',
    )
    .argument('[example]', 'name of the example')
    .addHelpText('after', examples('torc workflows example', 'torc workflows example word-count > workflow.yaml'));
  act(example, async ([name]) => {
    const { printExample } = await import('../actions/example.ts');
    return (context) => printExample(context, name ?? null);
  });
}
