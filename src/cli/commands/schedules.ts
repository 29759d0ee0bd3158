/** `torc schedules add|modify|list|show|pause|resume|run|delete`: workflows that the server makes at certain times. */
import { type Command, Option } from 'commander';
import { catchUpRules, overlapRules, scheduleDefaults } from '../../model/decide/schedule.ts';
import type { AddScheduleOptions } from '../actions/schedules.ts';
import type { ModifyScheduleOptions } from '../actions/schedules-modify.ts';
import { addListOptions, listOptions, someTime, wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

const nameArgument = 'the name of a schedule';

export function declareSchedules(program: Command, act: Act): void {
  const group = program
    .command('schedules')
    .description('workflows that the server creates and starts at certain times, again and again');
  declareAdd(group, act);
  declareModify(group, act);
  declareShows(group, act);
  declareChanges(group, act);
}

function declareAdd(group: Command, act: Act): void {
  const add = group
    .command('add')
    .description('create a schedule: at each of its instants a new workflow of this specification starts')
    .argument('<name>', 'a name of your choice')
    .argument('<spec>', 'specification with an action schedule_nodes on_workflow_start, or - for standard input')
    .option('--cron <expression>', 'minute hour day month weekday (six fields: seconds first), or @daily and the like')
    .option('--time-zone <zone>', 'of the cron expression, such as Europe/Berlin (default: that of this host)')
    .option(
      '--every <duration>',
      'instead of --cron: the time between two instants (PT1H, 90m); at least 1 s',
      someTime,
    )
    .addOption(
      new Option('--overlap <rule>', 'when the previous workflow has not ended')
        .choices([...overlapRules])
        .default(scheduleDefaults.overlap),
    )
    .addOption(
      new Option('--catch-up <rule>', 'which of the instants missed while no server ran run later')
        .choices([...catchUpRules])
        .default(scheduleDefaults.catchUp),
    )
    .option(
      '--max-catch-up <n>',
      'with --catch-up all: at most this many, the newest',
      wholeNumber('--max-catch-up', 1),
      scheduleDefaults.mostCaughtUp,
    )
    .option('--paused', 'create it, but run nothing until torc schedules resume')
    .option('-d, --dry-run', 'check the specification and show the first instants without changing anything')
    .addHelpText(
      'after',
      `
Overlap: skip leaves the instant out, queue lets it wait, replace cancels the previous workflow, allow runs both.
The specification is read now; its text may contain \${schedule.date}, \${schedule.time}, \${schedule.run} and
\${schedule.name}. Its workflows have the attributes schedule and schedule_time.
${examples(
  "torc schedules add nightly report.yaml --cron '0 3 * * *' --time-zone Europe/Berlin",
  'torc schedules add sync sync.yaml --every PT10M --overlap queue',
  "torc schedules add weekly w.yaml --cron '30 6 * * MON' --catch-up none --dry-run",
  'torc workflows list -f attribute.schedule=nightly',
).trimStart()}`,
    );
  act(add, async ([name = '', spec = ''], self) => {
    const { addSchedule } = await import('../actions/schedules.ts');
    return (context) => addSchedule(context, name, spec, self.opts<AddScheduleOptions>());
  });
}

function declareModify(group: Command, act: Act): void {
  const modify = group
    .command('modify')
    .description(
      'change when a schedule runs, its rules, or what it runs; workflows that it has started stay as they are',
    )
    .argument('<name>', nameArgument)
    .option('--cron <expression>', 'other times; replaces --every')
    .option('--time-zone <zone>', 'of the cron expression')
    .option('--every <duration>', 'another interval, from now on; replaces --cron', someTime)
    .addOption(new Option('--overlap <rule>', 'another overlap rule').choices([...overlapRules]))
    .addOption(new Option('--catch-up <rule>', 'another catch-up rule').choices([...catchUpRules]))
    .option('--max-catch-up <n>', 'with --catch-up all: at most this many', wholeNumber('--max-catch-up', 1))
    .option('--spec <file>', 'read the specification again, or another one; - for standard input')
    .option('-d, --dry-run', 'check the changes and show them without changing anything')
    .addHelpText(
      'after',
      `
What is not given stays. With other times, the next instant is the first of the new times after now.
${examples(
  "torc schedules modify nightly --cron '30 2 * * *' --dry-run",
  'torc schedules modify nightly --spec report.yaml',
  'torc schedules modify sync --every PT5M --overlap queue',
).trimStart()}`,
    );
  act(modify, async ([name = ''], self) => {
    const { modifySchedule } = await import('../actions/schedules-modify.ts');
    return (context) => modifySchedule(context, name, self.opts<ModifyScheduleOptions>());
  });
}

function declareShows(group: Command, act: Act): void {
  const list = group
    .command('list')
    .description('show the schedules: when each runs next, and how its last instant went')
    .addHelpText('after', examples('torc schedules list', 'torc schedules list -f is_paused=true'));
  act(addListOptions(list), async () => {
    const { listSchedules } = await import('../actions/schedules.ts');
    return (context) => listSchedules(context, listOptions(list));
  });
  const show = group
    .command('show')
    .description('show a schedule, its next instants and its last runs')
    .argument('<name>', nameArgument)
    .option('--runs <n>', 'how many of the last runs', wholeNumber('--runs', 0), 20)
    .addHelpText('after', examples('torc schedules show nightly', 'torc schedules show nightly --runs 100'));
  act(show, async ([name = ''], self) => {
    const { showSchedule } = await import('../actions/schedules.ts');
    return (context) => showSchedule(context, name, Number(self.opts<{ runs: number }>().runs));
  });
}

function declareChanges(group: Command, act: Act): void {
  const pause = group
    .command('pause')
    .description('start no workflows for now; running ones continue')
    .argument('<name>', nameArgument)
    .addHelpText('after', examples('torc schedules pause nightly', 'torc schedules resume nightly'));
  act(pause, async ([name = '']) => {
    const { pauseSchedule } = await import('../actions/schedules.ts');
    return (context) => pauseSchedule(context, name, true);
  });
  const resume = group
    .command('resume')
    .description('end a pause; the instants missed during it are not made up')
    .argument('<name>', nameArgument)
    .addHelpText('after', examples('torc schedules resume nightly'));
  act(resume, async ([name = '']) => {
    const { pauseSchedule } = await import('../actions/schedules.ts');
    return (context) => pauseSchedule(context, name, false);
  });
  const run = group
    .command('run')
    .alias('run-now')
    .description('start a workflow of a schedule now, also while it is paused; its overlap rule holds')
    .argument('<name>', nameArgument)
    .addHelpText('after', examples('torc schedules run nightly'));
  act(run, async ([name = '']) => {
    const { runSchedule } = await import('../actions/schedules.ts');
    return (context) => runSchedule(context, name);
  });
  const remove = group
    .command('delete')
    .description('delete a schedule; its workflows stay, and running ones continue')
    .argument('<name>', nameArgument)
    .addHelpText('after', examples('torc schedules delete nightly'));
  act(remove, async ([name = '']) => {
    const { deleteSchedule } = await import('../actions/schedules.ts');
    return (context) => deleteSchedule(context, name);
  });
}
