/** The configuration files: the person's own, and the one of the working directory, which overrides it. */
import { homedir } from 'node:os';
import { isAbsolute, join, normalize } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { type Environment, userConfigFile } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import { readOwnText } from '../../base/trusted/own-text.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import { localName, type SettingKey, type StatedSettings, settingKeys, settingList } from './settings.ts';

export interface SettingsFile {
  kind: 'user' | 'local';
  /** As people know it. */
  path: string;
  exists: boolean;
  /** Why it is not used, as the end of a sentence that begins with the path; null when it is used, or not there. */
  ignored: string | null;
  settings: StatedSettings;
  /** What is wrong in it, each as `FILE:LINE:COLUMN: message`. */
  problems: string[];
  /** What it has that torc 1.0 knows and this one does not. */
  foreign: string[];
}

/** Tables of torc 1.0 in the same file. */
const foreignTables = ['client', 'server', 'dash'];

/** Both files, in the order in which they count; `local` is the one of the working directory. */
export function settingsFiles(env: Environment, local = localName): SettingsFile[] {
  const own = userConfigFile(env);
  const places = [{ kind: 'local', path: local } as const];
  return [...(own === null ? [] : [{ kind: 'user', path: own } as const]), ...places].map((place) =>
    readFile(place, env),
  );
}

/** What both files state. Throws TorcError 'usage' naming every problem, and for a file of the person that others can change. */
export function fileSettings(files: readonly SettingsFile[]): StatedSettings {
  const problems = files.flatMap((file) => file.problems);
  if (problems.length > 0)
    throw new TorcError('usage', problems.join('\n'), 'See torc config check, and torc config show for the keys.');
  const unsafe = files.find(({ kind, ignored }) => kind === 'user' && ignored !== null);
  if (unsafe !== undefined) {
    throw new TorcError(
      'conflict',
      `the configuration file ${unsafe.path} ${unsafe.ignored}`,
      `Only you may be able to change it: chmod go-w ${unsafe.path}`,
    );
  }
  return Object.assign({}, ...files.map(({ settings }) => settings));
}

function readFile({ kind, path }: Pick<SettingsFile, 'kind' | 'path'>, env: Environment): SettingsFile {
  const found = readOwnText(path);
  const file: SettingsFile = {
    kind,
    path,
    exists: found !== null,
    ignored: null,
    settings: {},
    problems: [],
    foreign: [],
  };
  if (found === null) return file;
  if ('problem' in found) return { ...file, ignored: found.problem };
  let values: Record<string, unknown>;
  try {
    values = parse(found.text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ''] = error.message.split('\n');
    const what = first.replace(/^Invalid TOML document: /, '');
    return { ...file, problems: [`${path}:${error.line}:${error.column}: ${what}`] };
  }
  for (const [key, value] of Object.entries(values)) readKey(file, found.text, key, value, env);
  return file;
}

function readKey(file: SettingsFile, text: string, key: string, value: unknown, env: Environment): void {
  if (foreignTables.includes(key) && typeof value === 'object') {
    file.foreign.push(key);
    return;
  }
  const { line, column } = placeOf(text, key);
  const known = settingKeys.find((each) => each === key);
  try {
    if (known === undefined) {
      throw new TorcError('usage', `unknown key ${quoted(key)}${didYouMean(key, settingKeys)}`);
    }
    const given = settingList[known].read(value);
    if (file.kind === 'local') refuseFromProject(known, given);
    const home = env.HOME ?? homedir();
    const used = isPath(known) ? expanded(String(given), home) : given;
    file.settings[known] = { value: used, from: `${file.path}:${line}` };
  } catch (error) {
    if (!(error instanceof TorcError)) throw error;
    const message = known === undefined ? error.message : `${key}: ${error.message}`;
    file.problems.push(`${file.path}:${line}:${column}: ${message}`);
  }
}

/** A project's file, which others may have written, neither sends anything elsewhere nor names another server. */
function refuseFromProject(key: SettingKey, value: string | number): void {
  const isRefused = !settingList[key].isLocal || (key === 'output' && isOutside(String(value)));
  if (!isRefused) return;
  const what = key === 'output' ? 'a directory that is not below this one' : 'this key';
  throw new TorcError('usage', `${what} counts only in your own configuration file (torc config paths)`);
}

function isPath(key: SettingKey): boolean {
  return key === 'output' || key === 'directory' || key === 'notify';
}

function expanded(path: string, home: string): string {
  return path.startsWith('~/') ? join(home, path.slice(2)) : path;
}

function isOutside(path: string): boolean {
  return isAbsolute(path) || path.startsWith('~') || normalize(path).split('/')[0] === '..';
}

/**
 * Where a key of the top of the document begins, from 1. The parser does not say, so it reads more and more lines until
 * it knows the key.
 */
function placeOf(text: string, key: string): { line: number; column: number } {
  const lines = text.split('\n');
  let begins = 0;
  for (let end = 1; end <= lines.length; end += 1) {
    const known = keysOf(lines.slice(0, end).join('\n'));
    if (known === null) continue;
    if (known.includes(key)) break;
    begins = end;
  }
  const indent = /^\s*/.exec(lines[begins] ?? '')?.[0].length ?? 0;
  return { line: begins + 1, column: indent + 1 };
}

/** Null where the text ends in the middle of a value. */
function keysOf(text: string): string[] | null {
  try {
    return Object.keys(parse(text));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return null;
  }
}
