/**
 * The examples as their READMEs run them: copied, run by a worker on this machine, and looked at; each command must print what the
 * README shows. Then their answers are compared with what is known, and their reports with those on the site. `npm run documents`
 * writes what they print now, and the reports that have changed in more than what is measured.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { exampleNames } from '../../src/base/examples.ts';
import { DocumentPlace } from '../support/document-place.ts';
import { isRefreshed, runDocument } from '../support/document-run.ts';
import { root } from '../support/documents.ts';

/** The only number that the pattern finds in a file of the copy. */
type FindNumber = (file: string, pattern: RegExp) => number;

/** What is known of the result of each example; those without files of results are only compared with their READMEs. */
const answers: Readonly<Record<string, (number: FindNumber) => void>> = {
  bootstrap: (number) => {
    const [low, high] = [/: ([\d.]+) to/, / to ([\d.]+)/].map((pattern) => number('interval.txt', pattern));
    expect(low).toBeLessThan(10);
    expect(high).toBeGreaterThan(10);
    const [error, formula] = [/error: ([\d.]+)/, /formula ([\d.]+)/].map((pattern) => number('interval.txt', pattern));
    expect((error as number) / (formula as number)).toBeCloseTo(1, 1);
  },
  convergence: (number) => {
    expect(number('orders.txt', /euler.* order ([\d.]+)/)).toBeCloseTo(1, 1);
    expect(number('orders.txt', /midpoint.* order ([\d.]+)/)).toBeCloseTo(2, 1);
    expect(number('orders.txt', /runge_kutta.* order ([\d.]+)/)).toBeCloseTo(4, 1);
  },
  'data-pipeline': (number) => {
    let sum = 0;
    for (let i = 1; i <= 1000; i++) sum += i;
    expect(number('data_pipeline/total.txt', /^(\d+)/)).toBe(sum);
  },
  'failure-handlers': (number) => {
    expect(number('failure_handlers/solution.txt', /^([\d.]+) /)).toBe(3);
  },
  'hyperparameter-sweep': (number) => {
    expect(number('hyperparameter_sweep/best.txt', /batch=(\d+)/)).toBe(64);
  },
  'monte-carlo': (number) => {
    expect(number('error.txt', /power of (-[\d.]+)/)).toBeCloseTo(-0.5, 1);
  },
  'n-body': (number) => {
    expect(number('orbit.txt', /within ([\d.]+)/)).toBeLessThan(0.01);
  },
  nightly: (number) => {
    expect(number('report.txt', /night 2: (\d+) lines/)).toBe(7);
    expect(number('report.txt', /night 2: .* (\d+) new/)).toBe(4);
  },
  'parameter-study': (number) => {
    expect(number('parameter_study/pi.txt', /^([\d.]+)/)).toBeCloseTo(Math.PI, 9);
  },
  search: (number) => {
    expect(Math.abs(number('best.txt', /rate: ([\d.]+)/) - 0.2)).toBeLessThan(0.003);
  },
  'simulation-sweep': (number) => {
    const range = 30 ** 2 / 9.81;
    expect(Math.abs(number('simulation_sweep/farthest.txt', /^([\d.]+) m/) - range)).toBeLessThan(0.01 * range);
  },
  'staged-slurm': (number) => {
    expect(number('staged_slurm/pi.txt', /^([\d.]+)/)).toBeCloseTo(Math.PI, 1);
  },
};

/** What a report says that is not measured: its workflow, how its jobs ended, and its graph. */
function lastingPartsOf(report: string): string[] {
  const parts = [/<h1>.*?<\/nav>/s, /<section id="graph">.*?<\/section>/s].map((part) => part.exec(report)?.[0] ?? '');
  const counts = report.matchAll(/<b>\d+<\/b><span>(?:jobs?|succeeded|failed|canceled|waiting)<\/span>/g);
  return [...parts, ...[...counts].map(([card]) => card)];
}

/** With the user `me` instead of the one who runs the tests. */
function withoutUser(report: string): string {
  const { username } = userInfo();
  return ['>', '&quot;', 'Made by '].reduce(
    (text, before) => text.replaceAll(`${before}${username}`, `${before}me`),
    report,
  );
}

async function reportOf(place: DocumentPlace, name: string): Promise<void> {
  const { code, output } = await place.printed(
    'torc reports html last -o ~/report.html > ~/wrote.txt 2>&1; cat ~/report.html',
  );
  expect(code, output).toBe(0);
  expect(output).toMatch(/^<!doctype html>/);
  const path = join(root, 'site', 'reports', `${name}.html`);
  const stored = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const [now, before] = [lastingPartsOf(output), lastingPartsOf(stored)];
  expect(now.length).toBeGreaterThan(3);
  if (!isRefreshed) expect(now, 'npm run documents makes the report anew').toEqual(before);
  else if (now.join() !== before.join()) writeFileSync(path, withoutUser(output));
}

describe('each example', () => {
  // side by side, because they wait for their jobs most of the time
  it.concurrent.each(exampleNames())('%s prints what its README shows, and has the known answer', async (name) => {
    const place = new DocumentPlace();
    try {
      await runDocument(place, `examples/${name}/README.md`);
      await reportOf(place, name);
      answers[name]?.((file, pattern) => Number(pattern.exec(place.read(`${name}/${file}`))?.[1]));
    } finally {
      await place.remove();
    }
  });
});
