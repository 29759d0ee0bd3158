// What is compiled or fetched for one processor: node, better-sqlite3 for that node, the program that starts jobs. Everything
// is made for glibc 2.28 (RHEL 8, Debian 10) on any Linux with another processor too, and kept in .package/ for the next time.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The newest glibc that a machine must have: that of node's own programs. */
export const glibc = [2, 28];
/** node 24, which is maintained until April 2028, with the hash of the npm package of each processor. */
export const nodeVersion = '24.22.3';
const nodeHashes = {
  x64: 'KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  arm64: 'IZx0J52/1NDwAsY2iyWR9nlPIYuYviTWetjj8+ElvYQh2+XRhLfCfkbFEF/2O5vGI2hcUbyPNHV+nz342FbJXw==',
};
const machines = { x64: 'x86_64', arm64: 'aarch64' };
export const processors = Object.keys(machines);

export class PackagingError extends Error {}

/** Node's program, headers and licence, from npm, as an unpacked folder. */
export function provideNode(root, arch) {
  const name = `node-linux-${arch}`;
  const folder = join(root, '.package', `${name}-${nodeVersion}`);
  return once(folder, (fresh) => {
    const file = run('npm', ['pack', '--silent', '--pack-destination', fresh, `${name}@${nodeVersion}`]).trim();
    const archive = join(fresh, file);
    const hash = createHash('sha512').update(readFileSync(archive)).digest('base64');
    if (hash !== nodeHashes[arch]) throw new PackagingError(`${file} is not what it was: its hash is ${hash}`);
    run('tar', ['-xzf', archive, '-C', fresh, '--strip-components=1']);
    rmSync(archive);
  });
}

/** The path of zig. */
export function provideZig(root) {
  const list = join(root, 'packaging', 'zig.txt');
  const folder = join(root, '.package', `zig-${digest([list])}`);
  const words = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--root-user-action=ignore',
    '--no-deps',
    '--require-hashes',
  ];
  once(folder, (fresh) => run('python3', [...words, '--target', fresh, '-r', list], { stdio: 'inherit' }));
  return join(folder, 'ziglang', 'zig');
}

/** The compiled better-sqlite3, which contains SQLite. */
export function compileModule(root, arch, node, zig) {
  const nodeGyp = join(root, 'node_modules', '.bin', 'node-gyp');
  if (!process.env.npm_config_node_gyp) throw new PackagingError('npm did not say where node-gyp is: npm run package');
  const source = join(root, 'node_modules', 'better-sqlite3');
  const recipe = [
    'packaging/zig-compiler',
    'packaging/module.map',
    'packaging/zig.txt',
    'scripts/node-gyp/node-gyp.cjs',
    'scripts/node-gyp/object-wrap.h',
  ].map((name) => join(root, name));
  const version = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')).version;
  const name = `better-sqlite3-${version}-node-${nodeVersion}-${arch}-glibc-${glibc.join('.')}-${digest(recipe)}`;
  const folder = once(join(root, '.package', name), (fresh) => {
    const work = join(fresh, 'source');
    cpSync(source, work, { recursive: true, filter: (path) => !path.startsWith(join(source, 'build')) });
    const compiler = (language) => `${recipe[0]} ${language} ${machines[arch]}-linux-gnu.${glibc.join('.')}`;
    const env = {
      ...process.env,
      ...zigEnvironment(root, zig),
      CC: compiler('cc'),
      CXX: compiler('c++'),
      AR: `${zig} ar`,
      npm_config_nodedir: node,
    };
    run(process.execPath, [nodeGyp, 'rebuild', '--release', `--arch=${arch}`], { cwd: work, env });
    renameSync(join(work, 'build', 'Release', 'better_sqlite3.node'), join(fresh, 'better_sqlite3.node'));
    rmSync(work, { recursive: true });
  });
  return join(folder, 'better_sqlite3.node');
}

/** Compiles a program of `src/worker/processes`, static, with the C library musl: it needs nothing of the machine. */
export function compileStatic(root, arch, zig, path, to) {
  const source = join(root, 'src', path);
  const words = ['-std=c11', '-O2', '-Wall', '-Wextra', '-pthread', '-s', '-static', '-o', to, source];
  const env = { ...process.env, ...zigEnvironment(root, zig) };
  run(zig, ['cc', '-target', `${machines[arch]}-linux-musl`, ...words], { env });
}

/** Refuses a program or module that needs a newer glibc, or a newer libstdc++ than node does (that of GCC 5). */
export function checkSymbols(path) {
  const most = { GLIBC: glibc, GLIBCXX: [3, 4, 21], CXXABI: [1, 3, 11] };
  const needed = run('readelf', ['--version-info', '--wide', path], { env: { ...process.env, LC_ALL: 'C' } });
  const tooNew = [...needed.matchAll(/Name: ((GLIBC|GLIBCXX|CXXABI)_([\d.]+))\b/g)].filter(([, , of, version]) =>
    isNewer(version.split('.').map(Number), most[of]),
  );
  if (tooNew.length === 0) return;
  const names = [...new Set(tooNew.map(([, name]) => name))].join(', ');
  throw new PackagingError(`${path} needs ${names}, but must run with glibc ${glibc.join('.')}`);
}

function isNewer(version, most) {
  const index = most.findIndex((part, at) => (version[at] ?? 0) !== part);
  return index === -1 ? version.length > most.length : (version[index] ?? 0) > most[index];
}

function zigEnvironment(root, zig) {
  const cache = join(root, '.package', 'zig-cache');
  return { TORC_ZIG: zig, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
}

/** A folder that `make` fills; a run that was interrupted leaves nothing that looks complete. */
function once(folder, make) {
  if (existsSync(folder)) return folder;
  const fresh = `${folder}.new-${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    make(fresh);
    renameSync(fresh, folder);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

function digest(paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path));
  return hash.digest('hex').slice(0, 12);
}

/** Runs a program to its end and returns what it printed; with what it said when it fails. */
export function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
  } catch (error) {
    const said = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim().split('\n').slice(-30).join('\n');
    throw new PackagingError(`${command} ${args[0]}: ${error.code ?? `exit code ${error.status}`}\n${said}`);
  }
}
