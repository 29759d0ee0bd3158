// Makes release/torc-VERSION-linux-ARCH.tar.gz: torc with its own node, for machines without node, npm, compiler and network.
//
//   npm run package                     for this machine's processor
//   npm run package -- --arch arm64     for another one, also on x64
//
// It needs python3 with pip (for zig, which compiles for an old C library) and readelf; the first run downloads zig and node
// (130 MB) and compiles SQLite for a minute or two.

import { createHash } from 'node:crypto';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

import { billOfMaterials, licenceTexts } from './package/bill.mjs';
import * as native from './package/native.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const release = join(root, 'release');
const { version, license } = readJson(join(root, 'package.json'));

try {
  const { values } = parseArgs({ options: { arch: { type: 'string', default: process.arch } } });
  if (!native.processors.includes(values.arch))
    throw new native.PackagingError(`--arch takes ${native.processors.join(' or ')}, not ${values.arch}`);
  await makePackage(values.arch);
} catch (error) {
  if (!(error instanceof native.PackagingError) && !error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
  console.error(`package: ${error.message}`);
  process.exitCode = 1;
}

async function makePackage(arch) {
  native.run(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
  native.run(process.execPath, [join(root, 'scripts', 'site.mjs')], { stdio: 'inherit' });
  const name = `torc-${version}-linux-${arch}`;
  const tree = join(root, '.package', name);
  rmSync(tree, { recursive: true, force: true });

  const node = native.provideNode(root, arch);
  const zig = native.provideZig(root);
  copyFile(join(node, 'bin', 'node'), join(tree, 'libexec', 'node'), 0o755);
  await addModule(tree, native.compileModule(root, arch, node, zig));
  const programs = join(tree, 'dist', 'native', arch);
  mkdirSync(programs, { recursive: true });
  for (const path of ['worker/processes/start-jobs.c', 'worker/processes/run-step.c', 'storage/database/see-lock.c'])
    native.compileStatic(root, arch, zig, path, join(programs, `torc-${basename(path, '.c')}`));
  const { files, packages } = readJson(join(dist, 'bundle.json'));
  addProgram(tree, files);
  addShellFiles(tree);
  const contained = [...packages, 'node_modules/better-sqlite3', 'node_modules/minisearch'].sort();
  const date = dateOfSources();
  const bill = billOfMaterials(root, contained, arch, date);
  write(join(tree, 'bill-of-materials.cdx.json'), bill);
  write(join(tree, 'THIRD_PARTY_LICENSES.txt'), licenceTexts(root, contained, node, zig));

  const paths = filesBelow(tree);
  for (const path of paths) if (isProgram(path)) native.checkSymbols(path);
  mkdirSync(release, { recursive: true });
  const archive = join(release, `${name}.tar.gz`);
  pack(tree, archive, date);
  write(join(release, `${name}.cdx.json`), bill);
  writeChecksums();
  const bytes = paths.reduce((sum, path) => sum + lstatSync(path).size, 0);
  const megabytes = (size) => `${(size / 1e6).toFixed(1)} MB`;
  console.log(`${archive}: ${megabytes(lstatSync(archive).size)}; ${paths.length} files of ${megabytes(bytes)}`);
}

/** better-sqlite3 as one script and one module, instead of three packages with the sources of SQLite. */
async function addModule(tree, compiled) {
  const source = join(root, 'node_modules', 'better-sqlite3');
  const folder = join(tree, 'node_modules', 'better-sqlite3');
  const findsModule = {
    name: 'module-beside-script',
    resolveId: (id) => (id === 'bindings' ? id : null),
    load: (id) =>
      id === 'bindings' ? `module.exports = (name) => require(require('node:path').join(__dirname, name));` : null,
  };
  const input = join(source, 'lib', 'index.js');
  const bundle = await rolldown({ input, platform: 'node', plugins: [findsModule] });
  await bundle.write({ file: join(folder, 'index.cjs'), format: 'cjs' });
  await bundle.close();
  copyFile(compiled, join(folder, 'better_sqlite3.node'), 0o755);
  const described = readJson(join(source, 'package.json'));
  writeJson(join(folder, 'package.json'), { name: described.name, version: described.version, main: 'index.cjs' });
}

/** The bundled command line and what it reads. */
function addProgram(tree, files) {
  for (const file of files) copyFile(join(dist, 'cli', file), join(tree, 'dist', 'cli', file), 0o644);
  for (const name of ['storage/schema', 'workflow.schema.json', 'openapi.json', 'page', 'site'])
    cpSync(join(dist, name), join(tree, 'dist', name), { recursive: true });
  const texts = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'THIRD_PARTY.md', 'LICENSE'];
  const linked = ['bench/COSTS.md', 'bench/RESULTS.md', 'docker/README.md'];
  for (const name of ['slurm', 'examples', 'docs', ...texts, ...linked])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  // an example for programs, which install torc with npm
  rmSync(join(tree, 'examples', 'library.mjs'));
  writeJson(join(tree, 'package.json'), { name: 'torc', version, license, type: 'module' });
  write(join(tree, 'VERSION'), `${version}\n`);
}

/** What a person and a shell use: the program, install.sh, manual pages, completion, the module file. */
function addShellFiles(tree) {
  copyFile(join(root, 'packaging', 'torc.sh'), join(tree, 'bin', 'torc'), 0o755);
  copyFile(join(root, 'packaging', 'install.sh'), join(tree, 'install.sh'), 0o755);
  const share = join(tree, 'share');
  copyFile(join(root, 'packaging', 'modulefile'), join(share, 'modulefiles', 'torc', version), 0o644);
  cpSync(join(dist, 'man'), join(share, 'man', 'man1'), { recursive: true });
  for (const [shell, path] of [
    ['bash', 'bash-completion/completions/torc'],
    ['zsh', 'zsh/site-functions/_torc'],
    ['fish', 'fish/vendor_completions.d/torc.fish'],
  ])
    write(join(share, path), native.run(process.execPath, [join(dist, 'cli', 'main.js'), 'completion', shell]));
}

/** The same tree gives the same archive: names in order, one time, no owner. */
function pack(tree, archive, date) {
  const sameForAll = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mode=go=u-w', '--format=gnu'];
  const time = `--mtime=@${date.getTime() / 1000}`;
  const [folder, name] = [dirname(tree), tree.slice(dirname(tree).length + 1)];
  native.run('tar', [...sameForAll, time, '-I', 'gzip -9n', '-cf', archive, '-C', folder, name]);
}

function writeChecksums() {
  const names = readdirSync(release)
    .filter((name) => name.endsWith('.tar.gz'))
    .sort();
  const lines = names.map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(join(release, name)))
        .digest('hex')}  ${name}`,
  );
  write(join(release, 'SHA256SUMS'), `${lines.join('\n')}\n`);
}

/** The time of the last commit, or SOURCE_DATE_EPOCH. */
function dateOfSources() {
  const given = process.env.SOURCE_DATE_EPOCH;
  return new Date(1000 * Number(given ?? native.run('git', ['log', '-1', '--format=%ct'], { cwd: root })));
}

function isProgram(path) {
  return readFileSync(path).subarray(0, 4).toString('latin1') === '\x7fELF';
}

function filesBelow(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

function copyFile(from, to, mode) {
  cpSync(from, to);
  chmodSync(to, mode);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeJson(path, value) {
  write(path, `${JSON.stringify(value, null, 2)}\n`);
}
