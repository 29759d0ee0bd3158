// Compiles src/ to dist/ and puts the files beside it that the program reads at run time.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = join(root, 'node_modules', '.bin', 'tsc');

rmSync(join(root, 'dist'), { recursive: true, force: true });
try {
  execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json')], { cwd: root, stdio: 'inherit' });
} catch {
  process.exit(1);
}
cpSync(join(root, 'src', 'storage', 'schema'), join(root, 'dist', 'storage', 'schema'), { recursive: true });
chmodSync(join(root, 'dist', 'cli', 'main.js'), 0o755);
