// Checks types, format and the tests closest to a change, straight from the sources and within 20 seconds: `npm run quick`.
// The change is everything not committed yet; on a clean tree, the commits of the branch since main; with `-- --since REF`,
// the difference from REF. It runs the unit, server and property tests that import a changed file, the closest first, as many
// as fit into the time, and lists the others. `npm test` runs everything.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const layers = ['unit', 'server', 'property'];
/** Seconds of tests for each core; the rest of the 20 seconds is for types and for starting. */
const testSeconds = 8;
/** For each test file: to load it, and to run its tests if their duration is unknown. */
const [startSeconds, unknownSeconds] = [0.6, 1];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const begin = performance.now();
const { values } = parseArgs({ options: { since: { type: 'string' } } });

const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
const linesOf = (text) => text.split('\n').filter((line) => line !== '');
const base = values.since ?? (git('status', '--porcelain') === '' ? mergeBase() : 'HEAD');
const changed = new Set([
  ...linesOf(git('diff', '--name-only', base)),
  ...linesOf(git('ls-files', '--others', '--exclude-standard')),
]);
if (changed.size === 0) {
  console.log(`Nothing has changed since ${base}.`);
  process.exit(0);
}
console.log(`${changed.size} ${changed.size === 1 ? 'file has' : 'files have'} changed since ${base}.`);

const present = new Set(linesOf(git('ls-files', '--cached', '--others', '--exclude-standard')));
for (const file of present) if (!existsSync(join(root, file))) present.delete(file);
const { chosen, left } = chooseTests();
const bin = (name) => join(root, 'node_modules', '.bin', name);
const typesCache = join(root, 'node_modules', '.cache', 'quick.tsbuildinfo');
const checks = [
  run('types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', typesCache]),
  run('format, lint', bin('biome'), [
    'check',
    '--no-errors-on-unmatched',
    ...[...changed].filter((file) => present.has(file)),
  ]),
];
if (chosen.length > 0) {
  const projects = layers.flatMap((layer) => ['--project', layer]);
  checks.push(run(`${chosen.length} test files`, bin('vitest'), ['run', ...projects, ...chosen]));
}
const failed = (await Promise.all(checks)).filter((status) => status !== 0);
if (left.length > 0) {
  const names = left.slice(0, 10).join(', ');
  console.log(`\nNot run, to stay quick: ${names}${left.length > 10 ? `, and ${left.length - 10} more` : ''}`);
}
if (chosen.length === 0) console.log('\nNo unit, server or property test imports a changed file.');
console.log(`\n${failed.length === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
process.exitCode = failed.length === 0 ? 0 : 1;

function mergeBase() {
  try {
    return git('merge-base', 'HEAD', 'main');
  } catch {
    return 'HEAD';
  }
}

/** The tests that import a changed file, directly or indirectly. */
function chooseTests() {
  const texts = new Map();
  for (const file of present) {
    if (/^(src|test)\/.*\.ts$/.test(file)) texts.set(file, readFileSync(join(root, file), 'utf8'));
  }
  const distances = distancesFrom(changed, texts);
  const durations = knownDurations();
  const near = [...distances]
    .filter(([file]) => texts.has(file) && layers.some((layer) => file.startsWith(`test/${layer}/`)))
    .filter(([file]) => file.endsWith('.test.ts'))
    .map(([file, distance]) => ({ file, distance, seconds: (durations.get(file) ?? unknownSeconds) + startSeconds }))
    .sort((a, b) => a.distance - b.distance || a.seconds - b.seconds);
  let seconds = 0;
  const [fitting, others] = [[], []];
  for (const test of near) {
    const fits = test.distance === 0 || seconds + test.seconds <= testSeconds * availableParallelism();
    if (fits) seconds += test.seconds;
    (fits ? fitting : others).push(test.file);
  }
  const needBuild = [...changed].filter((file) => /^test\/(?!unit|server|property).*\.test\.ts$/.test(file));
  return { chosen: fitting, left: [...others, ...needBuild] };
}

/** By file: the number of imports between it and the closest changed file. */
function distancesFrom(files, texts) {
  const importers = new Map();
  const add = (file, importer) => importers.set(file, [...(importers.get(file) ?? []), importer]);
  for (const [file, text] of texts) {
    for (const [, target] of text.matchAll(/'(\.{1,2}\/[^'\n]+\.ts)'/g)) {
      add(posix.join(posix.dirname(file), target), file);
    }
    if (!file.startsWith('test/')) continue;
    // tests that read schemas, examples or documents name their folder
    for (const other of files) {
      const folder = posix.basename(posix.dirname(other));
      if (!other.endsWith('.ts') && folder !== '.' && text.includes(`'${folder}'`)) add(other, file);
    }
  }
  const distances = new Map([...files].map((file) => [file, 0]));
  if ([...files].some((file) => file.startsWith('src/'))) distances.set('test/unit/layers.test.ts', 0);
  for (const [file, distance] of distances) {
    for (const importer of importers.get(file) ?? []) {
      if (!distances.has(importer)) distances.set(importer, distance + 1);
    }
  }
  return distances;
}

/** By file: the seconds that its tests took in the last run of vitest. */
function knownDurations() {
  const durations = new Map();
  const cache = join(root, 'node_modules', '.vite', 'vitest');
  for (const folder of existsSync(cache) ? readdirSync(cache) : []) {
    const { results } = JSON.parse(readFileSync(join(cache, folder, 'results.json'), 'utf8'));
    for (const [id, { duration }] of results) durations.set(id.slice(id.indexOf(':') + 1), duration / 1000);
  }
  return durations;
}

/** Runs a check in parallel with the others; prints one line at its end, and its output if it failed. */
function run(title, command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: { ...process.env, FORCE_COLOR: '0' } });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => chunks.push(Buffer.from(error.message)));
    child.on('close', (status) => {
      console.log(`== ${title}: ${status === 0 ? 'ok' : 'FAILED'}`);
      if (status !== 0) process.stdout.write(Buffer.concat(chunks));
      resolve(status);
    });
  });
}
