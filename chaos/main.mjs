// Real servers and workers, faults from a seed, and then the proof that nothing was lost and nothing ran twice.
//   npm run chaos -- [--seconds N --seed S --jobs N --faults NAME,.. --scenario faults|outage --cluster]
// Prints one line of JSON. Exits with 1 and keeps its directory if anything was lost, ran twice, is stuck or broken.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runLocally } from './local.mjs';
import { runOutage } from './outage.mjs';
import { endAll, startNothingMore } from './processes.mjs';
import { randomFrom } from './random.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    jobs: { type: 'string' },
    faults: { type: 'string' },
    scenario: { type: 'string', default: 'faults' },
    cluster: { type: 'boolean', default: false },
  },
});

/** As root everything runs in its own mount namespace: the small disk is invisible elsewhere and cannot be left behind. */
const ownMounts = 'CHAOS_OWN_MOUNTS';
const inOwnMounts = ['--mount', '--propagation', 'private'];
const wantsOwnMounts = process.getuid() === 0 && process.env[ownMounts] === undefined && !values.cluster;
if (wantsOwnMounts && spawnSync('unshare', [...inOwnMounts, 'true']).status === 0) {
  const words = [...inOwnMounts, process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const inner = spawn('unshare', words, { stdio: 'inherit', env: { ...process.env, [ownMounts]: '1' } });
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => inner.kill(name));
  inner.on('exit', (code) => process.exit(code ?? 1));
} else {
  await main();
}

async function main() {
  const parent = values.cluster ? await sharedDirectory() : tmpdir();
  const place = mkdtempSync(join(parent, 'torc-chaos-'));
  const atEnd = [() => endAll(place)];
  const cleanUp = async (isKept) => {
    for (const undo of atEnd.toReversed()) await undo();
    if (!isKept) rmSync(place, { recursive: true, force: true });
  };
  let isInterrupted = false;
  for (const name of ['SIGINT', 'SIGTERM']) {
    process.on(name, () => {
      if (isInterrupted) return;
      isInterrupted = true;
      startNothingMore();
      void cleanUp(false).finally(() => process.exit(130));
    });
  }
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  const begin = performance.now();
  const elapsedSeconds = () => (performance.now() - begin) / 1000;
  const say = (text) => process.stderr.write(`${elapsedSeconds().toFixed(1).padStart(7)}  ${text}\n`);
  try {
    const { summary, verdict } = await (await chosenScenario())({
      place,
      seconds,
      seed,
      aboutJobs: values.jobs === undefined ? null : Number(values.jobs),
      random: randomFrom(seed),
      names: values.faults?.split(','),
      say,
      onEnd: (undo) => atEnd.push(undo),
    });
    const found = ['lost', 'duplicated', 'stuck', 'broken'];
    for (const name of found) for (const sentence of verdict[name]) process.stderr.write(`${name}: ${sentence}\n`);
    const counts = Object.fromEntries(found.map((name) => [name, verdict[name].length]));
    const isBad = found.some((name) => counts[name] > 0);
    const elapsed_seconds = Math.round(elapsedSeconds());
    console.log(JSON.stringify({ ...summary, attempts: verdict.numAttempts, elapsed_seconds, ...counts }));
    if (isBad) say(`kept: ${place}`);
    await cleanUp(isBad);
    process.exit(isBad ? 1 : 0);
  } catch (error) {
    console.error(error);
    await cleanUp(false);
    process.exit(1);
  }
}

async function sharedDirectory() {
  return (await import('./cluster.mjs')).sharedDirectory();
}

async function chosenScenario() {
  if (values.cluster) return (await import('./on-cluster.mjs')).runOnCluster;
  return values.scenario === 'outage' ? runOutage : runLocally;
}
