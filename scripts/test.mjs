// Runs every check and test layer. The Slurm layer needs containers: this starts the cluster of docker/ unless it is already
// up, and stops it again if it started it. Arguments go to vitest: `npm test -- --project unit`.
//
// TORC_TEST_SLURM=require  fail if the cluster is not available
// TORC_TEST_SLURM=skip     skip the Slurm layer
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');
const cluster = join(root, 'docker', 'cluster');
const engineMissing = 3;
const layers = ['unit', 'property', 'sim', 'worker', 'server', 'cli', 'crash', 'security', 'slurm'];
const given = process.argv.slice(2);

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status ?? 1;
}

function step(title) {
  console.log(`\n== ${title}`);
}

function stop(status, message) {
  if (message !== undefined) console.error(message);
  process.exit(status);
}

/** 'ours' if this run started it, 'theirs' if it was already up, null if it is not available. */
function bringUpCluster() {
  const mode = process.env.TORC_TEST_SLURM ?? '';
  if (mode === 'skip') return null;
  const wasUp = isUpForThisCheckout();
  const status = run(cluster, ['up']);
  if (status === 0) return wasUp ? 'theirs' : 'ours';
  if (mode === 'require' || status !== engineMissing) stop(1, 'The Slurm cluster could not be started (see above).');
  return null;
}

function isUpForThisCheckout() {
  const info = spawnSync(cluster, ['info'], { cwd: root, encoding: 'utf8' });
  if (info.status !== 0) return false;
  const { up, checkout } = JSON.parse(info.stdout);
  return up === true && checkout === root;
}

function wantsSlurm() {
  const projects = given.flatMap((arg, index) => (arg === '--project' ? [given[index + 1]] : []));
  return projects.length === 0 || projects.includes('slurm');
}

step('build');
if (run(process.execPath, [join(root, 'scripts', 'build.mjs')]) !== 0) stop(1);
step('format, lint, types');
if (run(join(bin, 'biome'), ['check', '.']) !== 0) stop(1);
if (run(join(bin, 'tsc'), ['--noEmit', '-p', 'tsconfig.json']) !== 0) stop(1);

let owner = null;
if (wantsSlurm()) {
  step('Slurm cluster');
  owner = bringUpCluster();
}
const withSlurm = owner !== null;
process.on('SIGINT', () => {});

step('tests');
const report = join(mkdtempSync(join(tmpdir(), 'torc-tests-')), 'report.json');
const projects = given.includes('--project')
  ? []
  : layers.filter((layer) => layer !== 'slurm' || withSlurm).flatMap((layer) => ['--project', layer]);
const status = run(join(bin, 'vitest'), [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...projects,
  ...given,
]);
if (owner === 'ours') {
  step('Slurm cluster down');
  run(cluster, ['down']);
}
if (!withSlurm && wantsSlurm()) {
  console.log('\n!! The Slurm layer was SKIPPED: no container engine is available (or TORC_TEST_SLURM=skip).');
  console.log('!! No test ran against a real Slurm. See docker/README.md.');
}
summarize();
stop(status);

function summarize() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
    console.log(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
  } catch {
    console.error('\nNo test report was written.');
  }
  rmSync(dirname(report), { recursive: true, force: true });
}
