// Runs many seeds of the simulator: `npm run sim -- --seeds 1000 --first 0`, on all cores or on `--jobs`. To replay a failed
// seed: `npm run sim -- --seeds 1 --first SEED`. With `--twice` each seed runs again, slowly, and its history must be the same.
// Progress and failures go to stderr, one JSON line to stdout; the exit code is 1 if a seed failed.
import { fork } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '0' },
    failures: { type: 'string', default: '5' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    twice: { type: 'boolean', default: false },
  },
});
const [numSeeds, first, mostFailures, numJobs] = [values.seeds, values.first, values.failures, values.jobs].map(Number);
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const totals = { seeds: 0, steps: 0, checks: 0 };
const seen = new Map();
const failed = [];
/** Changes if the history of any seed changes; does not depend on the process that ran it. */
let hash = 0;
let next = first;

const built = mkdtempSync(join(root, 'dist.sim-'));
process.on('exit', () => rmSync(built, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const program = await bundle();
const began = performance.now();
let toldAt = began;
await Promise.all(Array.from({ length: Math.min(numJobs, numSeeds) }, runSome));
failed.sort((a, b) => a - b);
const seconds = Math.round((performance.now() - began) / 100) / 10;
const kinds = Object.fromEntries([...seen].sort());
process.stdout.write(`${JSON.stringify({ first, ...totals, seconds, hash, seen: kinds, failed })}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** As a single file it runs a quarter faster, and each process starts at once. */
async function bundle() {
  const main = join(root, 'test', 'sim', 'main.ts');
  const whole = await rolldown({ input: { main }, external: [/^node:/, 'better-sqlite3'], platform: 'node' });
  await whole.write({ dir: join(built, 'sim'), format: 'esm', sourcemap: true });
  await whole.close();
  cpSync(join(root, 'src', 'storage', 'schema'), join(built, 'storage', 'schema'), { recursive: true });
  return join(built, 'sim', 'main.js');
}

/** A process that gets one seed after the other; resolves when none are left. */
function runSome() {
  return new Promise((resolve) => {
    let seed = first;
    const child = fork(program, { execArgv: ['--enable-source-maps'] });
    const handOut = () => {
      if (next >= first + numSeeds || failed.length >= mostFailures) return child.disconnect();
      seed = next++;
      child.send({ seed, twice: values.twice });
    };
    child.on('message', (told) => {
      note(told);
      handOut();
    });
    child.on('exit', (code, signal) => {
      if (code !== 0) fail(seed, `--- seed ${seed}\nBROKEN: the process ended with ${code ?? signal}`);
      resolve();
    });
    handOut();
  });
}

function note(told) {
  totals.seeds += 1;
  totals.steps += told.numSteps;
  totals.checks += told.numChecks;
  hash = (hash ^ told.hash) >>> 0;
  for (const [what, times] of told.seen) seen.set(what, (seen.get(what) ?? 0) + times);
  if (told.failure !== null) fail(told.seed, told.failure);
  if (performance.now() - toldAt < 10_000) return;
  toldAt = performance.now();
  process.stderr.write(`${totals.seeds} of ${numSeeds} seeds, ${failed.length} failed\n`);
}

function fail(seed, words) {
  failed.push(seed);
  process.stderr.write(`${words}\n`);
}
