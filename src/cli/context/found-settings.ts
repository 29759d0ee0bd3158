/** The settings that count for a command; files are read only where there are some. */
import { existsSync } from 'node:fs';
import { type Environment, userConfigFile } from '../../base/config.ts';
import { environmentSettings, localName, type Settings, settingValues } from './settings.ts';

export interface FoundSettings {
  settings: Settings;
  warnings: string[];
}

/** The values that count here. Throws TorcError 'usage' for what makes no sense, 'conflict' for a file that is not safe. */
export async function foundSettings(env: Environment): Promise<FoundSettings> {
  const own = userConfigFile(env);
  const hasFile = [own, localName].some((path) => path !== null && existsSync(path));
  if (!hasFile) return { settings: settingValues(environmentSettings(env)), warnings: [] };
  const { fileSettings, settingsFiles } = await import('./settings-files.ts');
  const files = settingsFiles(env);
  const stated = { ...fileSettings(files), ...environmentSettings(env) };
  const warnings = files.flatMap(({ path, ignored }) =>
    ignored === null ? [] : [`${path} is ignored: it ${ignored}`],
  );
  return { settings: settingValues(stated), warnings };
}
