// Compiles src/ to dist/ and adds the files that the program reads at run time. The new dist/ replaces the old one only at
// the end and only on success, so that a running torc never sees an incomplete dist/.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { rolldown } from 'rolldown';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tsc = join(root, 'node_modules', '.bin', 'tsc');
const dist = join(root, 'dist');
const fresh = `${dist}.new-${process.pid}`;
const old = `${dist}.old-${process.pid}`;

try {
  execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', fresh], { cwd: root, stdio: 'inherit' });
  execFileSync(tsc, ['-p', join(root, 'src', 'page')], { cwd: root, stdio: 'inherit' });
} catch {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(1);
}
cpSync(join(root, 'src', 'storage', 'schema'), join(fresh, 'storage', 'schema'), { recursive: true });
const { specJsonSchema } = await import(pathToFileURL(join(fresh, 'model', 'spec', 'schema.js')).href);
writeFileSync(join(fresh, 'workflow.schema.json'), `${JSON.stringify(specJsonSchema(), null, 2)}\n`);
await writeOpenApi();
await writeManual();
await bundle(await bundlePage());
compileNative('worker/processes/start-jobs.c', 'workers start jobs more slowly');
compileNative('worker/processes/run-step.c', 'of jobs that srun runs only its exit code is known');
compileNative('storage/database/see-lock.c', 'torc doctor takes longer');
chmodSync(join(fresh, 'cli', 'main.js'), 0o755);
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
rmSync(old, { recursive: true, force: true });

async function writeOpenApi() {
  const { openApiDocument } = await import(pathToFileURL(join(fresh, 'api', 'openapi.js')).href);
  writeFileSync(join(fresh, 'openapi.json'), `${JSON.stringify(openApiDocument(ownVersion()))}\n`);
}

function ownVersion() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
}

/** A manual page for each command. */
async function writeManual() {
  const from = (name) => import(pathToFileURL(join(fresh, 'cli', name)).href);
  const [{ declareProgram }, { manPages }] = [await from('program.js'), await from('output/man-page.js')];
  const { globalHelp } = await from('input/options.js');
  mkdirSync(join(fresh, 'man'));
  for (const [name, text] of manPages(await declareProgram(() => {}), ownVersion(), globalHelp)) {
    writeFileSync(join(fresh, 'man', name), text);
  }
}

/** Static, so that it runs on nodes with another C library. Without a compiler, workers work without these programs. */
function compileNative(path, without) {
  const folder = join(fresh, 'native', process.arch);
  mkdirSync(folder, { recursive: true });
  const source = join(root, 'src', path);
  const name = `torc-${basename(path, '.c')}`;
  const words = ['-std=c11', '-O2', '-Wall', '-Wextra', '-pthread', '-s', source];
  const compile = (...more) =>
    spawnSync(process.env.CC ?? 'cc', [...words, '-o', join(folder, name), ...more], { encoding: 'utf8' });
  if (compile('-static').status === 0) return;
  const { status, error, stderr } = compile();
  if (status === 0)
    console.warn(`no static C library: ${name} needs a C library at least as new as the one on this machine`);
  else console.warn(`no ${name}, ${without}: ${error?.message ?? stderr}`);
}

/**
 * Bundles the command line and its packages into a few files: if a thousand workers start at once on a shared file system,
 * each opens a handful of files instead of 150. The modules that a worker in an allocation imports are in files of their own,
 * and so are those of short commands, and of the service that these open in their own process; the rest is split into chunks
 * that a command loads when it needs them. `bundle.json` lists the files, and the folders of the packages that are in them.
 */
async function bundle(packagesOfPage) {
  const main = join(fresh, 'cli', 'main.js');
  // the name of `fresh` is another each time, and must not be in what is written
  const options = { cwd: fresh, external: [/^node:/, 'better-sqlite3'], platform: 'node' };
  const modulesOf = async (...entries) => {
    const modules = new Set();
    for (const entry of entries) for (const id of await importedBy(join(fresh, entry), options)) modules.add(id);
    // the entry waits for the chunks it loads, so no chunk may wait for the entry
    modules.delete(main);
    return modules;
  };
  const worker = await modulesOf('cli/actions/slurm-run-jobs.js');
  const service = await modulesOf('server/open.js');
  // torc doctor looks at databases without the service
  const inspection = await modulesOf('server/owner/inspection.js');
  const short = await modulesOf(
    ...['jobs', 'lists', 'reports', 'status', 'workflows'].map((name) => `cli/commands/${name}.js`),
    ...['connection/session', 'input/workflow-key', 'output/output', 'output/unreached'].map(
      (name) => `cli/${name}.js`,
    ),
    ...['base/log-member.js', 'slurm/commands.js'],
  );
  const slurm = await modulesOf('cli/commands/hpc-slurm.js');
  const groups = Object.entries({
    base: await modulesOf('cli/main.js'),
    program: await modulesOf('cli/program.js'),
    // what others need as well, so that they need not read the rest of what a worker reads
    shared: new Set([
      ...[...service, ...inspection, ...short].filter((id) => worker.has(id)),
      ...[...short].filter((id) => slurm.has(id)),
    ]),
    worker,
    short,
    inspection,
    service,
    // plans read nothing else of what a worker reads
    slurm,
  }).map(([name, modules], index) => ({ name, priority: 9 - index, test: (id) => modules.has(id) }));
  const whole = await rolldown({ ...options, input: { main } });
  const chunkFileNames = '[name]-[hash].js';
  const { output } = await whole.write({
    dir: join(fresh, 'cli'),
    format: 'esm',
    chunkFileNames,
    codeSplitting: { groups },
    // what a process keeps of its program: comments are not needed, and one other character doubles a file's text
    comments: { legal: true, annotation: false, jsdoc: false },
    charset: 'ascii',
  });
  await whole.close();
  const packages = [...new Set([...packagesIn(output), ...packagesOfPage])].sort();
  const contents = { files: output.map(({ fileName }) => fileName).sort(), packages };
  writeFileSync(join(fresh, 'bundle.json'), `${JSON.stringify(contents, null, 2)}\n`);
}

/**
 * The page of `torc dash`: its script with another one that is loaded with the first chart, that of its worker, style sheets,
 * the document, and the licences of the packages in the scripts. Returns the folders of these packages.
 */
async function bundlePage() {
  const source = join(root, 'src', 'page');
  const folder = join(fresh, 'page');
  const output = [];
  // each by itself, so that they share no third file
  for (const [name, path] of [
    ['page', 'main.tsx'],
    ['layout', 'graph/layout-worker.ts'],
  ]) {
    const script = await rolldown({
      cwd: root,
      input: { [name]: join(source, path) },
      platform: 'browser',
      tsconfig: join(source, 'tsconfig.json'),
      // what is not in the script is nowhere: a browser has neither packages nor modules of node
      onLog(_level, { message }) {
        throw new Error(message);
      },
    });
    const names = { entryFileNames: '[name].js', chunkFileNames: '[name].js' };
    const written = await script.write({ dir: folder, format: 'esm', minify: true, ...names });
    output.push(...written.output);
    await script.close();
  }
  for (const name of ['index.html', 'page.css', 'graph.css']) cpSync(join(source, name), join(folder, name));
  const ofCharts = ['node_modules/uplot/dist/uPlot.min.css', 'src/page/charts/charts.css'];
  writeFileSync(join(folder, 'charts.css'), ofCharts.map((path) => readFileSync(join(root, path), 'utf8')).join('\n'));
  const packages = packagesIn(output);
  const listed = readFileSync(join(root, 'THIRD_PARTY.md'), 'utf8');
  const licences = packages.map((path) => {
    const { name, version } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    if (!listed.includes(`| ${name} | ${version} |`))
      throw new Error(`THIRD_PARTY.md does not list ${name} ${version}: name it in scripts/licences.mjs and run that`);
    return `${name} ${version}\n\n${readFileSync(join(root, path, 'LICENSE'), 'utf8').trim()}\n`;
  });
  writeFileSync(join(folder, 'licences.txt'), licences.join(`\n${'-'.repeat(80)}\n\n`));
  return packages;
}

/** The folders of the packages of which there are modules in these chunks. */
function packagesIn(output) {
  const modules = output.flatMap((chunk) => chunk.moduleIds ?? []).map((id) => relative(root, id));
  const packages = modules.flatMap((id) => /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  return [...new Set(packages)].sort();
}

/** The modules that a file imports statically, directly or indirectly: also those of which only constants are used. */
async function importedBy(file, options) {
  const modules = [];
  const plugin = {
    name: 'static-imports',
    resolveDynamicImport: () => false,
    moduleParsed: ({ id }) => void modules.push(id),
  };
  const part = await rolldown({ ...options, input: file, plugins: [plugin] });
  await part.generate({ format: 'esm' });
  await part.close();
  return modules;
}
