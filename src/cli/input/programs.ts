/** Programs and scripts, as a shell would find them. */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return isFile(path);
  } catch {
    return false;
  }
}

export function isOnPath(program: string, path: string): boolean {
  return path.split(':').some((folder) => folder !== '' && isExecutable(join(folder, program)));
}
