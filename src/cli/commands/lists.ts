/** The commands that only list: one group each, all with the same options. */
import type { Command } from 'commander';
import type { ListName } from '../../api/contract.ts';
import { parseEventKey } from '../input/filters.ts';
import { addListOptions, addOutcomeOptions, listOptions } from '../input/options.ts';
import type { States } from '../input/state-options.ts';
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
    const command = program.command(group).description(about).command('list').description(what);
    declareList((addOptions?.(command) ?? command).addHelpText('after', examples(...lines)), list, act);
  }
}

/** Makes `command` print a list. */
export function declareList(command: Command, list: ListName, act: Act, states?: States): void {
  act(addListOptions(command), async () => {
    const { showList } = await import('../input/list.ts');
    return (context) => showList(context, list, listOptions(command, states));
  });
}
