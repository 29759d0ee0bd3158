// Compiles src/ to dist/ and puts the files beside it that the program reads at run time. The new dist/ takes the old
// one's place at the end and only when all went well, so that a running torc never finds half of one.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = join(root, 'node_modules', '.bin', 'tsc');
const dist = join(root, 'dist');
const fresh = `${dist}.new-${process.pid}`;
const old = `${dist}.old-${process.pid}`;

try {
  execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', fresh], { cwd: root, stdio: 'inherit' });
} catch {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(1);
}
cpSync(join(root, 'src', 'storage', 'schema'), join(fresh, 'storage', 'schema'), { recursive: true });
const { specJsonSchema } = await import(pathToFileURL(join(fresh, 'model', 'spec-schema.js')).href);
writeFileSync(join(fresh, 'workflow.schema.json'), `${JSON.stringify(specJsonSchema(), null, 2)}\n`);
chmodSync(join(fresh, 'cli', 'main.js'), 0o755);
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
rmSync(old, { recursive: true, force: true });
