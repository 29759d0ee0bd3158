/** The version of this program, from its package.json. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder that holds package.json, `slurm/` and `examples/`: two above both `src/base` and `dist/base`. */
export function packageDirectory(): string {
  return packageRoot;
}

export function version(): string {
  const parsed = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return parsed.version;
}
