/** What opening the database of an older torc has done to it. */
import { visible } from '../../base/text.ts';

export function upgradeWords(fromVersion: number, copyPath: string): string {
  return `Upgraded the database from schema version ${fromVersion}; as it was, it is in ${visible(copyPath)}`;
}
