// What a measurement looks like, and how it is printed.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** A row of the table from samples; a ratio when the baseline was measured in the same run. */
export function row(what, samples, unit, { baseline = null, budget = null } = {}) {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const ratio = baseline === null ? null : median / medianOf(baseline.samples);
  return {
    what,
    unit,
    min: sorted[0],
    median,
    max: sorted.at(-1),
    baseline: baseline === null ? null : { what: baseline.what, median: medianOf(baseline.samples) },
    ratio,
    budget,
  };
}

export function medianOf(samples) {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)];
}

export function header() {
  const sqlite = JSON.parse(readFileSync(new URL('../node_modules/better-sqlite3/package.json', import.meta.url)));
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
    node: process.version,
    better_sqlite3: sqlite.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
  };
}

function commit() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}

export function printTable(rows, size) {
  const h = header();
  console.log(
    `${h.machine}; node ${h.node}; better-sqlite3 ${h.better_sqlite3}; commit ${h.commit}; ${h.date}; ${size}\n`,
  );
  console.log('| what | min | median | max | unit | baseline | ratio | budget |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const r of rows) {
    const baseline = r.baseline === null ? '' : `${r.baseline.what}: ${figure(r.baseline.median)}`;
    const ratio = r.ratio === null ? '' : r.ratio.toFixed(2);
    console.log(
      `| ${r.what} | ${figure(r.min)} | ${figure(r.median)} | ${figure(r.max)} | ${r.unit} | ${baseline} | ${ratio} | ${r.budget ?? ''} |`,
    );
  }
}

function figure(value) {
  if (value >= 1000) return Math.round(value).toString();
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
