/** What can follow each command: its commands, its options, and what their values are. */
import type { Argument, Command, Option } from 'commander';
import { z } from 'zod';
import { limitsListed } from '../../api/concurrency.ts';
import { records } from '../../api/records.ts';
import { schedulesListed } from '../../api/schedules.ts';
import { usageHoursReply } from '../../api/usage.ts';
import { exampleNames } from '../../base/examples.ts';
import { consoleLevels, outputFormats } from '../context/context.ts';

export interface Word {
  text: string;
  description: string;
}

/**
 * What a value is: a path, one of some words, what the database has (`live jobs`), a column of a list or several with commas
 * between, `column=value`, or anything.
 */
export type Kind = 'file' | 'any' | `words ${string}` | `live ${string}` | `columns ${string}` | `filter ${string}`;

/** What can follow one command. */
export interface Place {
  /** `workflows create`, or '' for `torc` itself. */
  path: string;
  commands: Word[];
  options: (Word & { kind: Kind | null })[];
  /** Of its arguments. */
  kinds: Kind[];
}

export function placesOf(command: Command, path = ''): Place[] {
  const help = command.createHelp();
  const children = help.visibleCommands(command);
  const place: Place = {
    path,
    commands: children.map((child) => ({ text: child.name(), description: child.description() })),
    options: help.visibleOptions(command).flatMap((option) => optionWords(option, path)),
    kinds: [...new Set(command.registeredArguments.map((argument) => kindOfArgument(argument, path)))],
  };
  return [place, ...children.flatMap((child) => placesOf(child, `${path} ${child.name()}`.trim()))];
}

function optionWords(option: Option, path: string): Place['options'] {
  const kind = option.required || option.optional ? kindOfOption(option, path) : null;
  return [option.short, option.long]
    .filter((text) => text !== undefined)
    .map((text) => ({ text, description: option.description, kind }));
}

/** By the long name. */
const kindsOfOptions: Readonly<Record<string, Kind>> = {
  '--workflow-key': 'live workflows',
  '--output-format': `words ${outputFormats.join(' ')}`,
  '--console-level': `words ${consoleLevels.join(' ')}`,
  '--scheduler': 'live slurm_configs',
  '--scheduler-key': 'live slurm_configs',
  '--config': 'live slurm_configs',
  '--resource-requirements': 'live resource_requirements',
  '--limits': 'live limits',
  '--auto-size-from': 'live workflows',
  '--depends-on': 'live jobs',
  '--before': 'live jobs',
  '--input-file': 'live files',
  '--output-file': 'live files',
  '--input-user-data': 'live user_data',
  '--output-user-data': 'live user_data',
};

function kindOfOption(option: Option, path: string): Kind {
  const choices = option.argChoices ?? [];
  if (choices.length > 0) return `words ${choices.join(' ')}`;
  const named = kindsOfOptions[option.long ?? ''];
  if (named !== undefined) return named;
  const what = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '';
  const list = listOf(path);
  if (/^columns?$|^a,b,c$/.test(what) && list !== null) return `columns ${list}`;
  if (what === 'column=value' && list !== null) return `filter ${list}`;
  if (/^(file|dir|directory|path)$/.test(what)) return 'file';
  return /^[a-z]+(\|[a-z]+)+$/.test(what) ? `words ${what.replaceAll('|', ' ')}` : 'any';
}

/** Parts of a workflow that have a group of commands of their own. */
const partsOfGroups: Readonly<Record<string, string>> = {
  files: 'files',
  'user-data': 'user_data',
  'resource-requirements': 'resource_requirements',
};

function kindOfArgument(argument: Argument, path: string): Kind {
  const name = argument.name();
  const choices = argument.argChoices ?? [];
  if (choices.length > 0) return `words ${choices.join(' ')}`;
  const group = path.split(' ')[0] ?? '';
  if (/^(spec|file|script|directory)$|-file$/.test(name)) return 'file';
  if (name === 'example') return `words ${exampleNames().join(' ')}`;
  if (name === 'shell') return 'words bash zsh fish';
  if (/^(job|jobs|job-?keys?)$/.test(name) || /^jobs?\b/.test(argument.description)) return 'live jobs';
  if (/^config/.test(name)) return 'live slurm_configs';
  if (/workflow/.test(name) || /^workflow/.test(argument.description)) return 'live workflows';
  if (group in partsOfGroups && !path.endsWith(' add')) return `live ${partsOfGroups[group]}`;
  if (group === 'limits' && name === 'name') return 'live limits';
  if (/^(schedules|generators)$/.test(group) && name === 'name' && !path.endsWith(' add')) return 'live schedules';
  return 'any';
}

/** Lists whose commands are called differently. */
const otherLists: Readonly<Record<string, string>> = {
  'workflows runs': 'runs',
  'reports usage': 'usage',
  'hpc slurm list-configs': 'slurm_configs',
  'slurm list-configs': 'slurm_configs',
  'hpc slurm list-allocations': 'allocations',
  'slurm list-allocations': 'allocations',
  'slurm list': 'allocations',
  'hpc slurm list': 'allocations',
};

/** The list that a command shows or chooses from; null when none is known. */
function listOf(path: string): string | null {
  const group = path.split(' ')[0]?.replaceAll('-', '_') ?? '';
  const name = otherLists[path] ?? group;
  return Object.hasOwn(recordsOfLists, name) ? name : null;
}

const schedules = () => schedulesListed().shape.schedules.element;

const recordsOfLists: Readonly<Record<string, () => z.ZodType>> = {
  ...records,
  limits: () => limitsListed().shape.limits.element,
  schedules,
  generators: schedules,
  usage: () => usageHoursReply().shape.allocations.element,
};

/** The columns of each list with their words, where only some are possible. */
export function columnsOfLists(): Map<string, Map<string, readonly string[]>> {
  const lists = new Map<string, Map<string, readonly string[]>>();
  for (const [name, recordOf] of Object.entries(recordsOfLists)) {
    const record = recordOf();
    const fields = record instanceof z.ZodObject ? Object.entries(record.shape) : [];
    lists.set(name, new Map(fields.map(([column, field]) => [column, wordsOf(field)])));
  }
  return lists;
}

function wordsOf(field: unknown): readonly string[] {
  if (field instanceof z.ZodNullable) return wordsOf(field.unwrap());
  if (field instanceof z.ZodBoolean) return ['true', 'false'];
  return field instanceof z.ZodEnum ? field.options.map(String) : [];
}
