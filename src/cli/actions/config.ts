/** `torc config show|init|check|paths`. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { userConfigFile } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import { shellWord } from '../../base/text.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { createPrivateFile, replacePrivateFile } from '../../base/trusted/private.ts';
import { type Context, note } from '../context/context.ts';
import { environmentSettings, localName, type Settings, settingKeys, settingList } from '../context/settings.ts';
import { fileSettings, type SettingsFile, settingsFiles } from '../context/settings-files.ts';
import { cutTable, printResult } from '../output/output.ts';

export async function showConfig(context: Context): Promise<void> {
  const files = settingsFiles(context.env);
  const stated = { ...fileSettings(files), ...environmentSettings(context.env) };
  noteIgnored(context, files);
  const settings = settingKeys.map((key) => {
    const { about, variable, option, isLocal } = settingList[key];
    const { value = null, from = null } = stated[key] ?? {};
    return { key, value, from, variable, option, local: isLocal, about };
  });
  await printResult(context, { settings }, () =>
    cutTable(context, ['key', 'value', 'from', 'option', 'variable'], settings),
  );
}

export async function checkConfigFiles(context: Context): Promise<void> {
  const files = settingsFiles(context.env);
  fileSettings(files);
  environmentSettings(context.env);
  noteIgnored(context, files);
  const present = files.filter(({ exists }) => exists);
  const value = { files: present.map(({ path, settings }) => ({ path, num_settings: Object.keys(settings).length })) };
  const lines = present.map(({ path, settings, ignored }) => {
    return ignored === null ? `${path}: ok, sets ${Object.keys(settings).join(', ') || 'nothing'}\n` : '';
  });
  const none = `there is no configuration file: ${context.torc} config init\n`;
  await printResult(context, value, () => (present.length === 0 ? none : lines.join('')));
}

export async function showPaths(context: Context): Promise<void> {
  const files = settingsFiles(context.env).map(({ kind, path, exists, ignored, problems }) => {
    const state = !exists
      ? 'missing'
      : ignored !== null
        ? `ignored: ${ignored}`
        : problems.length > 0
          ? 'wrong'
          : 'used';
    return { kind, path, state };
  });
  await printResult(context, { files }, () => cutTable(context, ['kind', 'path', 'state'], files));
}

function noteIgnored(context: Context, files: readonly SettingsFile[]): void {
  for (const { path, ignored, foreign } of files) {
    if (ignored !== null) note(context, `${path} is ignored: it ${ignored}`, 'warning');
    if (foreign.length > 0) {
      const tables = foreign.map((name) => `[${name}]`).join(', ');
      note(context, `${path}: ${tables} of torc 1.0 has no effect; torc config show lists the keys`, 'warning');
    }
  }
}

export interface InitOptions {
  user?: boolean;
  local?: boolean;
  system?: boolean;
  force?: boolean;
}

export async function initConfig(context: Context, options: InitOptions): Promise<void> {
  const { user = false, local = false, system = false, force = false } = options;
  if (system) {
    const hint = 'Set TORC_ACCOUNT and others (torc config show) in a file of /etc/profile.d, or a module file.';
    throw new TorcError('usage', 'there is no configuration file for all users', hint);
  }
  if (user && local) throw new TorcError('usage', '--user and --local were given', 'Give only one of them.');
  const path = local ? localName : userConfigFile(context.env);
  if (path === null) throw new TorcError('usage', 'HOME is not set', 'Set HOME or XDG_CONFIG_HOME, or use --local.');
  if (existsSync(path) && !force) {
    throw new TorcError(
      'conflict',
      `${path} exists`,
      `Edit it, or replace it: ${context.torc} config init${local ? ' --local' : ''} --force`,
    );
  }
  if (!local) makeFolders(dirname(path), 0o700);
  const write = force ? replacePrivateFile : createPrivateFile;
  write(path, template(local));
  await printResult(context, { path }, () => `wrote ${path}; edit it: \${EDITOR:-vi} ${shellWord(path)}\n`);
}

/** Every setting as a comment. */
function template(isLocal: boolean): string {
  const keys = settingKeys.filter((key) => !isLocal || settingList[key].isLocal);
  const lines = keys.map(
    (key: keyof Settings) => `# ${settingList[key].about}\n# ${key} = ${settingList[key].example}\n`,
  );
  const scope = isLocal
    ? 'commands in this directory'
    : 'all commands; ./torc.toml, environment variables and options override it';
  return `# Settings of torc for ${scope}.\n# torc config show prints the settings in effect, torc config check finds mistakes.\n\n${lines.join('\n')}`;
}
