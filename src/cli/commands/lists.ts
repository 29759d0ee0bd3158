/** The commands that only list: one group each, all with the same options. */
import type { Command } from 'commander';
import type { ListName } from '../../api/contract.ts';
import type { MonitorOptions } from '../actions/events-monitor.ts';
import { parseEventKey } from '../input/filters.ts';
import { addListOptions, addOutcomeOptions, filters, listOptions, someTime } from '../input/options.ts';
import type { States } from '../input/state-options.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

interface Listing {
  group: string;
  about: string;
  list: ListName;
  what: string;
  examples: readonly string[];
  /** Options that only this list has. */
  addOptions?: (command: Command) => Command;
}

const listings: readonly Listing[] = [
  {
    group: 'results',
    about: 'results of jobs: return codes, causes, times, memory',
    list: 'results',
    what: 'list the result of every attempt',
    examples: [
      'torc results list --failed',
      'torc results list --latest-only -f return_code=1',
      'torc results list --sort-by peak_memory_bytes --reverse-sort -l 10',
      "torc -F json results list -f cause=oom | jq -r '.results[] | .job_name'",
    ],
    addOptions: (command) =>
      addOutcomeOptions(command).option('-L, --latest-only', 'only the newest result of each job'),
  },
  {
    group: 'compute-nodes',
    about: 'the nodes that workers run on',
    list: 'compute_nodes',
    what: 'list the nodes of a workflow and when they were last heard from',
    examples: ['torc compute-nodes list', 'torc compute-nodes list -f is_active=true'],
  },
  {
    group: 'events',
    about: 'the event log of a workflow',
    list: 'events',
    what: 'list events, oldest first',
    examples: [
      'torc events list --reverse-sort -l 20',
      'torc events list -f job_key=12',
      'torc events list --after 118.4',
    ],
    addOptions: (command) => command.option('--after <event-key>', 'only events after this one', parseEventKey),
  },
];

export function declareLists(program: Command, act: Act): void {
  for (const { group, about, list, what, examples: lines, addOptions } of listings) {
    const parent = program.command(group).description(about);
    const command = parent.command('list').description(what);
    declareList((addOptions?.(command) ?? command).addHelpText('after', examples(...lines)), list, act);
    if (group === 'events') declareMonitor(parent, act);
  }
}

function declareMonitor(group: Command, act: Act): void {
  const monitor = group
    .command('monitor')
    .description('print events as they happen, until the run ends or you press Ctrl-C')
    .argument('[key]', keyArgument)
    .option('-d, --duration <duration>', 'end after this long, such as PT10M (default: with the run)', someTime)
    .option('-f, --filter <column=value>', 'only events with this value; may be repeated (all must match)', filters, [])
    .option('--after <event-key>', 'first those after this one (default: only new ones)', parseEventKey)
    .addHelpText('after', examples('torc events monitor 7', 'torc events monitor 7 -f job_key=12 -d PT10M'));
  act(monitor, async ([key], self) => {
    const { monitorEvents } = await import('../actions/events-monitor.ts');
    return (context) => monitorEvents(context, key ?? null, { ...self.opts<MonitorOptions>(), excludeColumn: [] });
  });
}

/** Makes `command` print a list. */
export function declareList(command: Command, list: ListName, act: Act, states?: States): void {
  act(addListOptions(command).argument('[key]', keyArgument), async (words) => {
    const { showList } = await import('../input/list.ts');
    return (context) => showList(context, list, listOptions(command, states), words);
  });
}
