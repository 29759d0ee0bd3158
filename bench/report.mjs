// The format of a measurement, and how it is printed and saved.
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/**
 * A row of the table from samples; the ratio compares the medians with those of a baseline from the same run.
 * A budget is `{ atMost }` or `{ atLeast }` for the median, or `{ ratio }`: at most this against the baseline.
 */
export function row(what, samples, unit, { baseline = null, budget = null } = {}) {
  if (samples.length === 0 || !samples.every(Number.isFinite)) throw new Error(`no measurements for '${what}'`);
  const sorted = samples.toSorted((a, b) => a - b);
  const median = medianOf(samples);
  const base = baseline === null ? null : { what: baseline.what, median: medianOf(baseline.samples) };
  const ratio = base === null ? null : median / base.median;
  const [min, max] = [sorted[0], sorted.at(-1)];
  return {
    what,
    unit,
    runs: samples.length,
    min,
    median,
    max,
    baseline: base,
    ratio,
    budget,
    kept: isKept(budget, median, ratio),
  };
}

/** A row for something that cannot be measured here. */
export function skipped(what, reason) {
  return { what, skipped: reason };
}

export function medianOf(samples) {
  return quantileOf(samples, 0.5);
}

export function quantileOf(samples, q) {
  return samples.toSorted((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * q))];
}

function isKept(budget, median, ratio) {
  if (budget === null) return null;
  if ('ratio' in budget) return ratio <= budget.ratio;
  return 'atMost' in budget ? median <= budget.atMost : median >= budget.atLeast;
}

export function header(size) {
  const sqlite = JSON.parse(readFileSync(new URL('../node_modules/better-sqlite3/package.json', import.meta.url)));
  return {
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 1024 ** 3)} GiB`,
    node: process.version,
    better_sqlite3: sqlite.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    size,
  };
}

function commit() {
  const git = (...words) => execFileSync('git', words, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--', 'src') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** The header and all rows as Markdown; failed cases come at the end. */
export function table({ rows, failures, ...head }) {
  const lines = [
    `${head.machine}; node ${head.node}; better-sqlite3 ${head.better_sqlite3}; commit ${head.commit}; ${head.date}; size ${head.size}`,
    '',
    '| what | min | median | max | unit | runs | baseline | ratio | budget | kept |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map((one) => `| ${cells(one).join(' | ')} |`),
  ];
  if (failures.length > 0) lines.push('', ...failures.map(({ name, error }) => `- case ${name} failed: ${error}`));
  return `${lines.join('\n')}\n`;
}

function cells(one) {
  if ('skipped' in one) return [one.what, `not measured: ${one.skipped}`, ...Array(8).fill('')];
  const { what, min, median, max, unit, runs, baseline, ratio, budget, kept } = one;
  return [
    what,
    ...[min, median, max].map(figure),
    unit,
    runs,
    baseline === null ? '' : `${baseline.what}: ${figure(baseline.median)}`,
    ratio === null ? '' : ratio.toFixed(2),
    budget === null ? '' : budgetWords(budget),
    kept === null ? '' : kept ? 'yes' : '**no**',
  ];
}

function budgetWords(budget) {
  if ('ratio' in budget) return `ratio <= ${budget.ratio}`;
  return 'atMost' in budget ? `<= ${budget.atMost}` : `>= ${budget.atLeast}`;
}

export function figure(value) {
  if (value === 0) return '0';
  if (value >= 1000) return Math.round(value).toString();
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Saved runs, oldest first: a line of JSON each, with the medians by row. */
const historyFile = new URL('history.jsonl', import.meta.url);

/** The last saved run of this size, or null. */
export function lastSaved(size) {
  const lines = existsSync(historyFile) ? readFileSync(historyFile, 'utf8').trim().split('\n') : [];
  return lines.map((line) => JSON.parse(line)).findLast((run) => run.size === size) ?? null;
}

/** The medians of this run beside those of a saved one, as Markdown: rows that both have. */
export function comparison({ rows }, saved) {
  const lines = [
    `Against the saved run of ${saved.date}, commit ${saved.commit}, ${saved.machine}: medians`,
    '',
    '| what | saved | now | unit | ratio |',
    '|---|---|---|---|---|',
  ];
  for (const [what, { median, unit }] of Object.entries(mediansOf(rows))) {
    const before = saved.medians[what]?.median;
    if (before === undefined) continue;
    const ratio = before === 0 ? '' : (median / before).toFixed(2);
    lines.push(`| ${what} | ${figure(before)} | ${figure(median)} | ${unit} | ${ratio} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** By the words of the row; a row that belongs to another one has its words before its own. */
function mediansOf(rows) {
  const medians = {};
  let whole = '';
  for (const { what, median, unit } of rows) {
    const isPart = what.startsWith('..');
    if (!isPart) whole = what;
    if (median !== undefined) medians[isPart ? `${whole} ${what}` : what] = { median, unit };
  }
  return medians;
}

const resultsFile = new URL('RESULTS.md', import.meta.url);
const mark = '<!-- the table: written by `npm run bench -- --save` -->';

/** Writes the table into RESULTS.md below the explanations, which stay, and adds the medians to the history. */
export function save({ rows, failures, ...head }) {
  const [explanations] = readFileSync(resultsFile, 'utf8').split(mark);
  writeFileSync(resultsFile, `${explanations}${mark}\n\n${table({ rows, failures, ...head })}`);
  appendFileSync(historyFile, `${JSON.stringify({ ...head, medians: mediansOf(rows) })}\n`);
}
