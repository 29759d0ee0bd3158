/** What a configuration file can set: each key, how its value is checked, and who may set it. */
import { advertisedText } from '../../api/addresses.ts';
import { type RelayKind, relayKinds } from '../../api/relay-kinds.ts';
import type { Environment } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import { parseWalltime } from '../../base/units.ts';
import { type StdioMode, stdioModes } from '../../model/expanded.ts';
import { checkedText } from '../../slurm/directives.ts';

/** The values that count for a command; options override them. */
export interface Settings {
  account?: string;
  partition?: string;
  qos?: string;
  /** As sbatch takes it. */
  walltime?: string;
  nodes?: number;
  mem?: string;
  max_parallel_jobs?: number;
  /** The output directory. */
  output?: string;
  stdio?: StdioMode;
  /** An e-mail address, or the full path of a file with the URL of a webhook. */
  notify?: string;
  /** The server directory, absolute. */
  directory?: string;
  server?: 'auto' | 'off';
  slurm_calls_per_minute?: number;
  /** Addresses with commas between. */
  advertise?: string;
  relay?: RelayKind;
}

export type SettingKey = keyof Settings;

interface Setting {
  /** What it is, for `torc config show` and the file that `torc config init` writes. */
  about: string;
  /** An example, as TOML. */
  example: string;
  /** The environment variable that overrides the files. */
  variable: string;
  /** Options that override it, for people. */
  option: string;
  /** Whether `./torc.toml` may set it: that file may have come with a project that somebody else has written. */
  isLocal: boolean;
  /** Returns the value to use. Throws TorcError 'usage' for one that makes no sense. */
  read(value: unknown): string | number;
}

export const settingList: Readonly<Record<SettingKey, Setting>> = {
  account: slurm('account', 'Slurm account to charge', '"my_account"', '-a/--account'),
  partition: slurm('partition', 'Slurm partition', '"short"', '-p/--partition'),
  qos: slurm('qos', 'Slurm quality of service', '"normal"', '-q/--qos'),
  walltime: {
    ...slurm('walltime', 'walltime of each allocation', '"04:00:00"', '--walltime'),
    read(value) {
      const text = textOf(value);
      parseWalltime(text);
      return text;
    },
  },
  nodes: {
    ...slurm('nodes', 'nodes of each allocation', '1', '-n/--nodes'),
    read: numberOf,
  },
  mem: slurm('mem', 'memory of each node of an allocation', '"180G"', '-m/--mem'),
  max_parallel_jobs: {
    about: 'at most this many jobs on a worker at a time',
    example: '8',
    variable: 'TORC_MAX_PARALLEL_JOBS',
    option: '-m/--max-parallel-jobs',
    isLocal: true,
    read: numberOf,
  },
  output: {
    about: 'output directory',
    example: '"torc_output"',
    variable: 'TORC_OUTPUT_DIR',
    option: '-o/--output',
    isLocal: true,
    read: textOf,
  },
  stdio: {
    about: `where job output goes if the specification does not say: ${stdioModes.join(', ')}`,
    example: '"files"',
    variable: 'TORC_STDIO',
    option: '--stdio',
    isLocal: true,
    read: (value) => oneOf(stdioModes, value),
  },
  notify: {
    about:
      'who is notified when new workflows end, unless they say it themselves: an address, or a file with a webhook URL',
    example: '"me@example.org"',
    variable: 'TORC_NOTIFY',
    option: 'notifications in the specification',
    isLocal: false,
    read: notified,
  },
  directory: {
    about: 'server directory',
    example: '"/scratch/me/torc"',
    variable: 'TORC_DIR',
    option: '--dir',
    isLocal: false,
    read: fullPath,
  },
  server: {
    about: 'whether commands start a server that workers wait for: auto, off',
    example: '"auto"',
    variable: 'TORC_SERVER',
    option: '--no-server',
    isLocal: false,
    read: (value) => oneOf(['auto', 'off'], value),
  },
  slurm_calls_per_minute: {
    about: 'how often in a minute the server calls sbatch and scancel for workflows that ask for nodes by themselves',
    example: '30',
    variable: 'TORC_SLURM_CALLS_PER_MINUTE',
    option: 'none',
    isLocal: false,
    read: numberOf,
  },
  advertise: {
    about: 'HOST[:PORT], with commas: addresses at which nodes try to reach the server first',
    example: '"login1-ib0"',
    variable: 'TORC_ADVERTISE',
    option: '--advertise of torc server start',
    isLocal: false,
    read: (value) => advertisedText(textOf(value)),
  },
  relay: {
    about: 'how the server reaches nodes that cannot connect to its host: off, slurm, ssh',
    example: '"slurm"',
    variable: 'TORC_RELAY',
    option: '--relay of torc server start',
    isLocal: false,
    read: (value) => oneOf(relayKinds, value),
  },
};

export const settingKeys = Object.keys(settingList) as SettingKey[];

function slurm(field: string, about: string, example: string, option: string): Setting {
  const read = (value: unknown) => checkedText(field, textOf(value));
  return { about, example, variable: `TORC_${field.toUpperCase()}`, option, isLocal: true, read };
}

function wrong(value: unknown, wanted: string): TorcError {
  return new TorcError('usage', `${JSON.stringify(value) ?? String(value)} is not ${wanted}`);
}

function textOf(value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '' && !value.includes('\0')) return value;
  throw wrong(value, 'a text in quotes');
}

function numberOf(value: unknown): number {
  const number = typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 1) return number;
  throw wrong(value, 'a whole number of at least 1');
}

function oneOf(words: readonly string[], value: unknown): string {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw wrong(value, `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`);
}

function fullPath(value: unknown): string {
  const text = textOf(value);
  if (text.startsWith('/') || text.startsWith('~/')) return text;
  throw wrong(value, 'a full path (it begins with / or ~/)');
}

function notified(value: unknown): string {
  const text = textOf(value);
  const isAddress = /^[^\s@<>()[\]",;:\\]+@[^\s@<>()[\]",;:\\]+$/u.test(text);
  if (isAddress || text.startsWith('/') || text.startsWith('~/')) return text;
  throw wrong(value, 'an e-mail address, nor the full path of a file with the URL of a webhook');
}

/** A value and where it comes from. */
export interface Stated {
  value: string | number;
  /** `FILE:LINE`, or the name of an environment variable. */
  from: string;
}

export type StatedSettings = Partial<Record<SettingKey, Stated>>;

/** Those that the environment states. Throws TorcError 'usage' for one that makes no sense. */
export function environmentSettings(env: Environment): StatedSettings {
  const found: StatedSettings = {};
  for (const key of settingKeys) {
    const { variable, read } = settingList[key];
    const given = env[variable] ?? '';
    if (given === '') continue;
    // what these three mean is seen to where they are used
    const isOwn = key === 'output' || key === 'directory' || key === 'server';
    found[key] = { value: isOwn ? given : checkedVariable(variable, given, read), from: variable };
  }
  return found;
}

function checkedVariable(variable: string, given: string, read: Setting['read']): string | number {
  try {
    return read(given);
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    throw new TorcError('usage', `${variable}: ${error.message}`, `unset ${variable}`, { cause: error });
  }
}

export const localName = 'torc.toml';

/** Only the values. */
export function settingValues(stated: StatedSettings): Settings {
  return Object.fromEntries(Object.entries(stated).map(([key, { value }]) => [key, value]));
}

/** The environment with what files state, where it does not state that itself. */
export function environmentWith(env: Environment, { output, directory, server }: Settings): Environment {
  const files = { TORC_OUTPUT_DIR: output, TORC_DIR: directory, TORC_SERVER: server };
  const more = Object.entries(files).filter(([name, value]) => value !== undefined && (env[name] ?? '') === '');
  return more.length === 0 ? env : { ...env, ...Object.fromEntries(more) };
}
