// Compiles src/ to dist/ and puts the files beside it that the program reads at run time. The new dist/ takes the old
// one's place at the end and only when all went well, so that a running torc never finds half of one.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { rolldown } from 'rolldown';

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
const { specJsonSchema } = await import(pathToFileURL(join(fresh, 'model', 'spec', 'schema.js')).href);
writeFileSync(join(fresh, 'workflow.schema.json'), `${JSON.stringify(specJsonSchema(), null, 2)}\n`);
await bundle();
compileJobStarter();
chmodSync(join(fresh, 'cli', 'main.js'), 0o755);
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
rmSync(old, { recursive: true, force: true });

/** Static, so that it runs on nodes with another C library; workers do without it where there is no compiler. */
function compileJobStarter() {
  const folder = join(fresh, 'native', process.arch);
  mkdirSync(folder, { recursive: true });
  const source = join(root, 'src', 'worker', 'processes', 'start-jobs.c');
  const words = ['-std=c11', '-O2', '-Wall', '-Wextra', '-pthread', '-s', source];
  const compile = (...more) =>
    spawnSync(process.env.CC ?? 'cc', [...words, '-o', join(folder, 'torc-start-jobs'), ...more], { encoding: 'utf8' });
  if (compile('-static').status === 0) return;
  const { status, error, stderr } = compile();
  if (status === 0) console.warn('no static C library: torc-start-jobs runs where the C library is as new as here');
  else console.warn(`no torc-start-jobs, workers start jobs more slowly: ${error?.message ?? stderr}`);
}

/**
 * Puts the command line with the packages it uses into few files: a thousand workers that start at once on a shared file
 * system open a handful each instead of 150. What a worker in an allocation loads is together in its own files, whose
 * modules are found by what its entries import; the rest stays in pieces that a command loads when it needs them.
 */
async function bundle() {
  const main = join(fresh, 'cli', 'main.js');
  const options = { external: [/^node:/, 'better-sqlite3'], platform: 'node' };
  const groups = [];
  for (const [priority, name, ...entries] of [
    [3, 'base', 'cli/main.js'],
    [2, 'program', 'cli/program.js'],
    [1, 'worker', 'cli/commands/hpc-slurm.js', 'cli/actions/slurm-run-jobs.js'],
  ]) {
    const modules = new Set();
    for (const entry of entries) for (const id of await importedBy(join(fresh, entry), options)) modules.add(id);
    // the entry waits for what it loads, which may not wait for the entry
    modules.delete(main);
    groups.push({ name, priority, test: (id) => modules.has(id) });
  }
  const whole = await rolldown({ ...options, input: { main } });
  const chunkFileNames = '[name]-[hash].js';
  await whole.write({ dir: join(fresh, 'cli'), format: 'esm', chunkFileNames, codeSplitting: { groups } });
  await whole.close();
}

/** The modules that a file imports when it is loaded, and those that these import. */
async function importedBy(file, options) {
  const later = { name: 'leaves-later-imports', resolveDynamicImport: () => false };
  const part = await rolldown({ ...options, input: file, plugins: [later] });
  const { output } = await part.generate({ format: 'esm' });
  await part.close();
  return output.flatMap((chunk) => chunk.moduleIds ?? []);
}
