/** `torc reports`: what happened in workflows; `torc workflows correct-resources`. */
import { type Command, Option } from 'commander';
import type { FailureReportOptions } from '../actions/reports-failures.ts';
import type { HtmlOptions } from '../actions/reports-html.ts';
import type { PeriodOptions, TimelineOptions } from '../actions/reports-timeline.ts';
import type { CorrectOptions } from '../actions/resource-use.ts';
import type { UsageOptions } from '../actions/usage-hours.ts';
import { parseColumns } from '../input/filters.ts';
import { instantGiven } from '../input/instants.ts';
import { collect, filters, oneOf, wholeNumber } from '../input/options.ts';
import { type ReportOptions, reportFormats } from '../output/report-format.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareReports(program: Command, act: Act): void {
  const group = program
    .command('reports')
    .description('what happened in workflows: when jobs ran, how they failed, what they used');
  declareTimeline(group, act);
  declareUtilization(group, act);
  declareFailures(group, act);
  declareHtml(group, act);
  const resources = group
    .command('resources')
    .description('compare what jobs use with what they ask for, and propose values; similar jobs are one row')
    .argument('[key]', keyArgument)
    .addHelpText(
      'after',
      examples(
        'torc reports resources 7',
        'torc reports resources 7 -o resources.svg',
        "torc -F json reports resources | jq '.usage'",
      ),
    );
  act(addReportOptions(resources), async ([key], self) => {
    const { reportResources } = await import('../actions/resource-use.ts');
    return (context) => reportResources(context, key ?? null, self.opts<ReportOptions>());
  });
  declareUsage(group, act);
}

function addReportOptions(command: Command): Command {
  return command
    .option(
      '--format <format>',
      `${reportFormats.join(', ')} (default: from the extension of -o, else as -F says)`,
      oneOf(reportFormats, 'a format'),
    )
    .option('-o, --output <file>', 'write to this file');
}

function addPeriodOptions(command: Command): Command {
  return command
    .option('--run <n>', 'only the time of this run', wholeNumber('the run', 1))
    .option('--from <instant>', 'from then on (default: the first allocation or worker)', instantGiven)
    .option('--to <instant>', 'until then (default: the last end)', instantGiven)
    .option('--bins <n>', 'pieces of time that are counted', wholeNumber('the number of bins', 1, 1000));
}

function declareTimeline(group: Command, act: Act): void {
  const timeline = group
    .command('timeline')
    .description('show when jobs ran, by node and slot, and when allocations waited and ran')
    .argument('[key]', keyArgument)
    .option(
      '--node <host>',
      'only workers of this node; may be repeated',
      collect((text) => [text]),
    )
    .option('-l, --limit <n>', 'show at most this many workers (default: 100)', wholeNumber('the limit', 1, 1000))
    .option('-s, --skip <n>', 'skip this many workers', wholeNumber('the number of workers to skip', 0));
  addReportOptions(addPeriodOptions(timeline)).addHelpText(
    'after',
    `
Text shows a line for each worker. CSV, JSON and SVG have every attempt, up to 20,000; of more, or with --bins, they have how many
ran and failed in each piece of time. Times are those of the host that runs the command; in pictures they are UTC.
${examples(
  'torc reports timeline 7',
  'torc reports timeline 7 -o timeline.svg',
  'torc reports timeline 7 --node node03 --from 2026-01-31T12:00 --to 2026-01-31T13:00',
  "torc -F json reports timeline 7 | jq '.spans[] | {job_name, started_at, ended_at}'",
).trimStart()}`,
  );
  act(timeline, async ([key], self) => {
    const { reportTimeline } = await import('../actions/reports-timeline.ts');
    return (context) => reportTimeline(context, key ?? null, self.opts<TimelineOptions>());
  });
}

function declareUtilization(group: Command, act: Act): void {
  const utilization = group
    .command('utilization')
    .description('show over time what CPUs, memory and GPUs nodes had, what jobs were given and what they used')
    .argument('[key]', keyArgument);
  addReportOptions(addPeriodOptions(utilization)).addHelpText(
    'after',
    `
Every number is an average over its piece of time. The CPU time of a job is spread evenly over the time in which it ran; its memory
is the average, or else the peak. Waiting allocations count as num_pending_nodes in CSV and JSON.
${examples(
  'torc reports utilization 7',
  'torc reports utilization 7 --run 2 --bins 48',
  'torc reports utilization 7 -o utilization.svg',
  "torc -F json reports utilization 7 | jq '.average | .job_cpus / .num_cpus'",
).trimStart()}`,
  );
  act(utilization, async ([key], self) => {
    const { reportUtilization } = await import('../actions/reports-timeline.ts');
    return (context) => reportUtilization(context, key ?? null, self.opts<PeriodOptions>());
  });
}

function declareFailures(group: Command, act: Act): void {
  const failures = group
    .command('failures')
    .description('group failed jobs by cause and by the message that they ended with')
    .argument('[key]', keyArgument)
    .option('-l, --limit <n>', 'read at most this many failed jobs (default: 10000)', wholeNumber('the limit', 1));
  addReportOptions(failures).addHelpText(
    'after',
    examples(
      'torc reports failures 7',
      'torc reports failures 7 -o failures.svg',
      "torc -F json reports failures 7 | jq '.groups[] | {count, cause, pattern}'",
    ),
  );
  act(failures, async ([key], self) => {
    const { reportFailures } = await import('../actions/reports-failures.ts');
    return (context) => reportFailures(context, key ?? null, self.opts<FailureReportOptions>());
  });
}

function declareHtml(group: Command, act: Act): void {
  const html = group
    .command('html')
    .description('write everything about a workflow into one page that can be mailed and opened without network')
    .argument('[key]', keyArgument)
    .option('-o, --output <file>', 'file to write (default: torc-KEY-NAME.html)')
    .addHelpText(
      'after',
      `
Summary, timeline, utilization, failures, requests against use, node-hours, graph and provenance. The page has no scripts and loads
nothing. Texts that look like secrets are replaced by ***: look into the page before you send it.
${examples('torc reports html 7', 'torc reports html 7 -o report.html').trimStart()}`,
    );
  act(html, async ([key], self) => {
    const { reportHtml } = await import('../actions/reports-html.ts');
    return (context) => reportHtml(context, key ?? null, self.opts<HtmlOptions>());
  });
}

function declareUsage(group: Command, act: Act): void {
  const usage = group
    .command('usage')
    .description('node-hours and CPU-hours of allocations and other workers, what jobs used of them, and what was idle')
    .argument('[keys...]', 'workflows (default: one; with --by workflow all that are not archived)')
    .addOption(
      new Option('--by <rows>', 'a row for each allocation, or for each workflow')
        .choices(['allocation', 'workflow'])
        .default('allocation'),
    )
    .option('-f, --filter <column=value>', 'only rows with this value; may be repeated (all must match)', filters, [])
    .option('-l, --limit <n>', 'show at most this many rows (default: all)', wholeNumber('the limit', 1))
    .option('--sort-by <column>', 'sort by this column (default: by start, or by key)')
    .option('--reverse-sort', 'sort in descending order')
    .option('--columns <a,b,c>', 'columns of text and csv, in this order, instead of the usual ones', parseColumns)
    .addHelpText(
      'after',
      `
CPU-hours: what the nodes had (cpu_hours), what of it jobs were given (in_jobs), and what they used (used). Idle is the share that
no job was given. Running allocations count up to now.
${examples(
  'torc reports usage 7',
  'torc reports usage --by workflow',
  'torc reports usage 7 --sort-by idle_share --reverse-sort -l 5',
  "torc -F json reports usage 7 | jq '.total.node_hours'",
).trimStart()}`,
    );
  act(usage, async (words, self) => {
    const { reportUsage } = await import('../actions/usage-hours.ts');
    return (context) => reportUsage(context, words, self.opts<UsageOptions>());
  });
}

export function declareCorrectResources(group: Command, act: Act): void {
  const correct = group
    .command('correct-resources')
    .description('give jobs that are still to run the memory and runtime that torc reports resources proposes')
    .argument('[key]', keyArgument)
    .option('--only-up', 'only raise requests that are too small')
    .option('--only-down', 'only lower requests of which less than half is used')
    .option('-d, --dry-run', 'show what would change without changing anything')
    .addHelpText(
      'after',
      examples('torc workflows correct-resources 7 --dry-run', 'torc workflows correct-resources 7 --only-up'),
    );
  act(correct, async ([key], self) => {
    const { correctResources } = await import('../actions/resource-use.ts');
    return (context) => correctResources(context, key ?? null, self.opts<CorrectOptions>());
  });
}
