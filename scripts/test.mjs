// Runs every check and test layer. The Slurm layer needs containers: this starts the cluster of docker/ unless it is already
// up, and stops it again if it started it. Arguments go to vitest: `npm test -- --project unit`.
//
// TORC_TEST_SLURM=require  fail if the cluster is not available
// TORC_TEST_SLURM=skip     skip the Slurm layer
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');
const cluster = join(root, 'docker', 'cluster');
const engineMissing = 3;
const namedLayers = ['unit', 'property', 'sim', 'worker', 'server', 'cli', 'browser', 'crash', 'security', 'python'];
const toOption = (layer) => ['--project', layer];
// many tests wait more than they compute, so two files at a time also where vitest would take one at a time
const maxWorkers = Math.max(2, availableParallelism() - 1);
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

/** Where the Slurm layer must run, nothing else may be skipped either. */
function installPrograms() {
  const status = run(join(root, 'scripts', 'test-programs'), []);
  if (status !== 0 && process.env.TORC_TEST_SLURM === 'require')
    stop(1, 'Programs that tests need could not be installed.');
}

function wantsSlurm() {
  const projects = given.flatMap((arg, index) => (arg === '--project' ? [given[index + 1]] : []));
  return projects.length === 0 || projects.some((name) => name.startsWith('slurm'));
}

step('build');
if (run(process.execPath, [join(root, 'scripts', 'build.mjs')]) !== 0) stop(1);
step('format, lint, types');
if (run(join(bin, 'biome'), ['check', '.']) !== 0) stop(1);
if (run(join(bin, 'tsc'), ['--noEmit', '-p', 'tsconfig.json']) !== 0) stop(1);

installPrograms();

let owner = null;
if (wantsSlurm()) {
  step('Slurm cluster');
  owner = bringUpCluster();
}
const withSlurm = owner !== null;
process.on('SIGINT', () => {});

step('tests');
const reports = mkdtempSync(join(tmpdir(), 'torc-tests-'));
const statuses = await Promise.all(
  given.includes('--project')
    ? [runTests('all', [], 'inherit')]
    : [
        runTests('here', [...namedLayers.flatMap(toOption), `--maxWorkers=${maxWorkers}`], 'inherit'),
        // it mostly waits for Slurm, so the other layers run beside it; its lines come when it has ended
        ...(withSlurm ? [runTests('slurm', toOption('slurm'), 'pipe')] : []),
      ],
);
if (owner === 'ours') {
  step('Slurm cluster down');
  run(cluster, ['down']);
}
if (!withSlurm && wantsSlurm()) {
  console.log('\n!! The Slurm layer was SKIPPED: no container engine is available (or TORC_TEST_SLURM=skip).');
  console.log('!! No test ran against a real Slurm. See docker/README.md.');
}
const hasRun = summarize();
stop(statuses.find((status) => status !== 0) ?? (hasRun ? 0 : 1));

/** Runs vitest with a report in `name`.json; with 'pipe', prints what it says when it has ended. Its exit code. */
async function runTests(name, layers, stdout) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${join(reports, `${name}.json`)}`];
  const args = ['run', '--passWithNoTests', ...reporters, ...layers, ...given];
  const vitest = spawn(join(bin, 'vitest'), args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] });
  const said = [];
  vitest.stdout?.on('data', (chunk) => said.push(chunk));
  const [status] = await once(vitest, 'close');
  process.stdout.write(Buffer.concat(said));
  return status ?? 1;
}

/** Prints what failed in any layer, so that it stands at the end of a long output, and the totals; whether any test ran. */
function summarize() {
  const totals = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
  const written = readdirSync(reports).map((name) => JSON.parse(readFileSync(join(reports, name), 'utf8')));
  for (const report of written) for (const key of Object.keys(totals)) totals[key] += report[key];
  for (const file of written.flatMap((report) => report.testResults).filter(({ status }) => status === 'failed')) {
    console.log(`\nFAILED in ${relative(root, file.name)}`);
    if (file.message !== '') console.log(shortened(file.message));
    for (const test of file.assertionResults.filter(({ status }) => status === 'failed'))
      console.log(`  ${test.fullName}\n${test.failureMessages.map(shortened).join('\n')}`);
  }
  if (written.length < statuses.length) console.error('\nA test report is missing.');
  console.log(`\n${totals.numPassedTests} passed, ${totals.numFailedTests} failed, ${totals.numPendingTests} skipped`);
  rmSync(reports, { recursive: true, force: true });
  return totals.numPassedTests + totals.numFailedTests > 0;
}

/** The first lines of a failure; all of it stands with the other output of its layer. */
function shortened(message) {
  return message.split('\n').slice(0, 12).join('\n').slice(0, 1500);
}
