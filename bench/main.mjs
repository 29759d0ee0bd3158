// Measures torc against its budgets and against baselines of the same run, and prints a table. A missed budget
// is not an error: people read the figures. A case that fails does not stop the others, but the exit code is then 1.
//   npm run bench [-- --json --save --profile --only NAME --size small|full --runs N]
import { parseArgs } from 'node:util';
import { allocation } from './cases/allocation.mjs';
import { busy } from './cases/busy.mjs';
import { children } from './cases/children.mjs';
import { claims } from './cases/claims.mjs';
import { copies } from './cases/copies.mjs';
import { creation } from './cases/creation.mjs';
import { dash } from './cases/dash.mjs';
import { durability } from './cases/durability.mjs';
import { exec } from './cases/exec.mjs';
import { graphs } from './cases/graphs.mjs';
import { idle } from './cases/idle.mjs';
import { latency } from './cases/latency.mjs';
import { limits } from './cases/limits.mjs';
import { memory } from './cases/memory.mjs';
import { noop } from './cases/noop.mjs';
import { packaged } from './cases/package.mjs';
import { planning } from './cases/planning.mjs';
import { python } from './cases/python.mjs';
import { restart } from './cases/restart.mjs';
import { server } from './cases/server.mjs';
import { slots } from './cases/slots.mjs';
import { slurmCalls } from './cases/slurm-calls.mjs';
import { startup } from './cases/startup.mjs';
import { terminalView } from './cases/terminal-view.mjs';
import { viewers } from './cases/viewers.mjs';
import { comparison, header, lastSaved, save, table } from './report.mjs';

const cases = {
  noop,
  slots,
  exec,
  python,
  graphs,
  latency,
  server,
  viewers,
  dash,
  'terminal-view': terminalView,
  busy,
  durability,
  creation,
  claims,
  limits,
  planning,
  restart,
  children,
  copies,
  startup,
  memory,
  idle,
  allocation,
  package: packaged,
  'slurm-calls': slurmCalls,
};
const usualRuns = { small: 3, full: 5 };

function wrongUsage(message, hint) {
  console.error(`error: ${message}\nhint: ${hint}`);
  process.exit(2);
}

function readOptions() {
  const options = {
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    size: { type: 'string', default: 'small' },
    runs: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return wrongUsage(error.message, `--${Object.keys(options).join(', --')}`);
  }
}

const { json, save: isSaved, profile: isProfiled, only: named, size, runs: runsText, help } = readOptions();
if (help) {
  process.stdout.write(`npm run bench [-- OPTIONS]: measures torc against its budgets and baselines, and prints a table

  --only NAME          this case alone; may be repeated
  --size small|full    default: small
  --runs N             of each case (default: ${Object.entries(usualRuns)
    .map(([name, runs]) => `${runs} of ${name} ones`)
    .join(', ')})
  --json               print JSON instead of the table
  --save               write bench/RESULTS.md and add a line to bench/history.jsonl; needs all cases
  --profile            of the case server: also say where the server's time goes

cases: ${Object.keys(cases).join(' ')}
`);
  process.exit();
}
const only = named ?? Object.keys(cases);
const unknown = only.find((name) => !Object.hasOwn(cases, name));
if (unknown !== undefined) wrongUsage(`unknown case '${unknown}'`, Object.keys(cases).join(', '));
if (isSaved && named !== undefined) wrongUsage('--save needs all cases', 'leave out --only');
if (!Object.hasOwn(usualRuns, size)) wrongUsage(`unknown size '${size}'`, 'small, full');
const runs = Number(runsText ?? usualRuns[size]);
if (!Number.isInteger(runs) || runs < 1) wrongUsage(`'${runsText}' is not a number of runs`, '--runs 3');

// the exit listener of support.mjs ends the processes and removes the directories of the measurements
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => process.exit(code));
const rows = [];
const failures = [];
const begin = performance.now();
const secondsSince = (instant) => Math.round((performance.now() - instant) / 1000);
for (const [index, name] of only.entries()) {
  const own = performance.now();
  process.stderr.write(`${name} (${index + 1} of ${only.length}, ${secondsSince(begin)} s so far) ..\n`);
  try {
    rows.push(...(await cases[name]({ isFull: size === 'full', runs, isProfiled })));
    process.stderr.write(`${name}: ${secondsSince(own)} s\n`);
  } catch (error) {
    process.stderr.write(`${name} failed: ${error.stack}\n`);
    failures.push({ name, error: error.message });
  }
}

const measured = { ...header(size), seconds: secondsSince(begin), rows, failures };
const saved = lastSaved(size);
if (isSaved) save(measured);
process.stdout.write(json ? `${JSON.stringify(measured)}\n` : table(measured));
if (!json && saved !== null) process.stdout.write(`\n${comparison(measured, saved)}`);
process.exitCode = failures.length > 0 ? 1 : 0;
