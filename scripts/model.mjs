// Checks the model of the exchange (model/README.md) exhaustively with spin, which needs gcc: every configuration must be
// searched completely and without an error, and every planted bug must be found. Arguments choose by name: `npm run model -- cut`.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSearch } from '../model/spin-output.mjs';

const model = join(dirname(fileURLToPath(import.meta.url)), '..', 'model', 'exchange.pml');
const memoryMegabytes = 1500;
/** No execution is longer than a few hundred steps; a longer one is reported as an incomplete search. */
const depth = 5000;

/** In the smaller ones spin also looks for cycles: there are none, so every execution ends. */
const configurations = {
  messages: { defines: ['LOST_MESSAGES=2', 'LATE_MESSAGES=1', 'EMPTY_REPLIES=1'] },
  returns: { defines: ['CAPACITY=2', 'RETURNS=1'], cycles: true },
  server: { defines: ['SERVER_DIES', 'FULL_DISKS=1', 'LATE_MESSAGES=1', 'CHAIN'], cycles: true },
  gone: { defines: ['NODE_DIES', 'WORKER_DIES', 'SPOOLS'], cycles: true },
  forgets: { defines: ['WORKER_FORGETS', 'NODE_DIES', 'CAPACITY=2'] },
  cut: { defines: ['NODE_CUT', 'LOST_MESSAGES=0'] },
  requeue: { defines: ['REQUEUED', 'NODE_CUT', 'NODE_DIES', 'LOST_MESSAGES=0'] },
  leaves: { defines: ['WORKER_LEAVES', 'LATE_MESSAGES=1', 'LOST_MESSAGES=0'], cycles: true },
  cancel: { defines: ['CANCELS=1', 'NODE_DIES', 'WORKER_LEAVES', 'CHAIN'] },
  restart: { defines: ['RESTARTS=1', 'MAX_LOSSES=0', 'NODE_DIES', 'WORKER_LEAVES'] },
};

/** A planted bug, and the configuration in which it must be found. */
const bugs = {
  BUG_NO_FENCE: 'gone',
  BUG_UNBLOCK_LATER: 'server',
  BUG_ANSWERED_BEFORE_COMMIT: 'server',
  BUG_TRANSACTION_NOT_CHECKED: 'server',
  BUG_SILENCE_FREES: 'messages',
  BUG_SILENCE_LOSES: 'messages',
  BUG_REPORTED_ONCE: 'messages',
  BUG_TAKEN_TWICE: 'returns',
  BUG_STOP_FORGOTTEN: 'cancel',
  BUG_LEAVE_KEEPS_CLAIMS: 'leaves',
  BUG_NODE_FAIL_IS_GONE: 'cut',
  BUG_REQUEUE_IS_GONE: 'requeue',
  BUG_LEFTOVERS_IGNORED: 'gone',
  BUG_SPOOL_NOT_READ: 'gone',
  BUG_LOST_FORGOTTEN: 'gone',
};

const tasks = [
  ...Object.entries(configurations).map(([name, { defines, cycles = false }]) => {
    return { name, defines, cycles, expected: 'complete' };
  }),
  ...Object.entries(bugs).map(([name, configuration]) => {
    return { name, defines: [...configurations[configuration].defines, name], cycles: false, expected: 'error' };
  }),
];
const wanted = process.argv.slice(2);
const chosen = tasks.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const unknown = wanted.filter((name) => !tasks.some((task) => task.name === name));
if (unknown.length > 0) stop(`no configuration or planted bug is named ${unknown.join(', ')}`);
for (const [program, flag] of Object.entries({ spin: '-V', gcc: '--version' })) {
  if (spawnSync(program, [flag]).status !== 0) stop(`${program} is not installed: apt-get install spin gcc libc6-dev`);
}

const directory = mkdtempSync(join(tmpdir(), 'torc-model-'));
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill();
  rmSync(directory, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const began = performance.now();
const waiting = [...chosen];
let numFailed = 0;
await Promise.all(Array.from({ length: Math.min(availableParallelism(), chosen.length) }, runSome));
const total = `${chosen.length} searches, ${numFailed} failed, ${seconds(began)} s`;
console.log(total);
process.exitCode = numFailed === 0 ? 0 : 1;

async function runSome() {
  for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
    const startedAt = performance.now();
    const search = await check(task);
    const isRight = search.verdict === task.expected;
    if (!isRight) numFailed += 1;
    const size = `${search.states} states, ${search.transitions} transitions, depth ${search.depth}, ${search.megabytes} MB`;
    const found = task.expected === 'error' && isRight ? 'found' : search.verdict;
    console.log(`${isRight ? 'ok  ' : 'FAIL'} ${task.name}: ${found}; ${size}, ${seconds(startedAt)} s`);
    if (!isRight) console.log(`     ${search.why ?? 'the planted bug was not found'}`);
  }
}

/** Makes the verifier of a configuration and runs it; fails as `incomplete` when one of the programs fails. */
async function check({ name, defines, cycles }) {
  const place = mkdtempSync(join(directory, `${name}-`));
  const made = await run(place, 'spin', ['-a', ...defines.map((define) => `-D${define}`), model]);
  if (made.status !== 0) return failed('spin', made);
  const kind = cycles ? ['-DNP'] : ['-DSAFETY'];
  const options = ['-O2', '-w', '-DNOREDUCE', `-DMEMLIM=${memoryMegabytes}`, ...kind];
  const compiled = await run(place, 'gcc', [...options, '-o', 'pan', 'pan.c']);
  if (compiled.status !== 0) return failed('gcc', compiled);
  const searched = await run(place, './pan', [`-m${depth}`, ...(cycles ? ['-l'] : [])]);
  const search = readSearch(searched.output);
  return searched.status === 0 || search.verdict !== 'complete' ? search : failed('the verifier', searched);
}

function failed(program, { status, output }) {
  return { ...readSearch(''), why: `${program} ended with ${status}: ${output.trim().slice(-500)}` };
}

function run(cwd, program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: code ?? signal, output }));
    running.add(child);
    child.on('close', () => running.delete(child));
  });
}

function seconds(since) {
  return Math.round((performance.now() - since) / 100) / 10;
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
