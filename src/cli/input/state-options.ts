/** Lists by state in one word: `torc jobs list --running`, `torc workflows list --failed`. */
import type { Command } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { workflowStatuses } from '../../model/status.ts';
import type { ListFilter } from './filters.ts';

/** The filter that each word stands for, by the words of one list. */
export type States = Readonly<Record<string, ListFilter>>;

const status = (value: string): ListFilter => ({ column: 'status', value });

export const workflowStates: States = Object.fromEntries(workflowStatuses.map((word) => [word, status(word)]));

export const jobStates: States = {
  uninitialized: status('uninitialized'),
  waiting: status('blocked,ready'),
  blocked: status('blocked'),
  ready: status('ready'),
  running: status('submitted_pending,submitted'),
  done: status('done'),
  failed: { column: 'outcome', value: 'failed' },
  canceled: status('canceled'),
  terminated: status('terminated'),
  disabled: status('disabled'),
};

/** Adds an option for each state; one that the command has already keeps its description. */
export function addStateOptions(command: Command, states: States): Command {
  for (const [word, { column, value }] of Object.entries(states)) {
    if (command.options.some(({ long }) => long === `--${word}`)) continue;
    command.option(`--${word}`, `only those with ${column}=${value}`);
  }
  return command;
}

/** The filter of the state that was given, if any. Throws 'usage' for two. */
export function stateFilters(command: Command, states: States): ListFilter[] {
  const given = Object.keys(states).filter((word) => command.getOptionValue(word) === true);
  const [first, second] = given;
  if (first !== undefined && second !== undefined) {
    const words = `--${first} and --${second} cannot be combined`;
    throw new TorcError('usage', words, 'Give one state, or several as -f status=ready,blocked');
  }
  return first === undefined ? [] : [states[first] as ListFilter];
}
