/** Makes the package once for all tests of this layer. */
import { execFileSync } from 'node:child_process';
import { root } from './readme.ts';

export function setup(): void {
  execFileSync('npm', ['run', 'package'], { cwd: root, stdio: 'pipe' });
}
