/**
 * What lies below an output directory may have been put there by others: a link in the place of a file is not followed,
 * a second name of a file is not written to, and a pipe is not waited for. The jobs' own output is tested with spawners.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemCode } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { claimOutputs } from '../../src/base/output-owner.ts';
import { combinedLogPath, slotPaths } from '../../src/base/paths.ts';
import { below, openOwnLog } from '../../src/base/trusted/shared.ts';
import { openFileReader } from '../../src/worker/files/file-reader.ts';
import { openLogStore } from '../../src/worker/files/log-store.ts';
import { TimeSeries } from '../../src/worker/processes/time-series.ts';

let output: string;
let precious: string;
beforeEach(() => {
  const made = mkdtempSync(join(tmpdir(), 'torc-planted-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  output = join(made, 'out');
  precious = join(made, 'precious');
  mkdirSync(output);
  writeFileSync(precious, 'secret');
  chmodSync(precious, 0o644);
});

const traps = ['ln -s "$1" "$2"', 'ln "$1" "$2"', 'mkfifo "$2"'];

function plant(trap: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  execFileSync('sh', ['-c', trap, 'sh', precious, path]);
}

function expectUntouched(): void {
  expect(readFileSync(precious, 'utf8')).toBe('secret');
  expect(statSync(precious).mode & 0o777).toBe(0o644);
}

/** The path is a file of its own with this text, beside a precious one that is as it was. */
function expectOwnFile(path: string, text: string): void {
  expect(lstatSync(path)).toMatchObject({ nlink: 1 });
  expect(lstatSync(path).isFile()).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(text);
  expectUntouched();
}

const name = { jobKey: '1', runId: 1, attemptId: 1 };

describe.each(traps)('%s', (trap) => {
  it('in the place of a job’s output: nothing is collected from there, and nothing is emptied', async () => {
    const paths = slotPaths(output, 'w', 1);
    plant(trap, paths.stdoutPath);
    writeFileSync(paths.stderrPath, '');
    const store = openLogStore(output, 'w', { clock: systemClock, log: silentLog });
    const collected = store.collect({ name, paths, isAbandoned: () => false });
    await expect(collected).rejects.toSatisfy((error) => systemCode(error) !== null);
    await store.tidy([]);
    expectUntouched();
  });

  it('in the place of the log of all jobs', async () => {
    const [paths, combined] = [slotPaths(output, 'w', 1), combinedLogPath(output, 'w')];
    plant(trap, combined);
    writeFileSync(paths.stdoutPath, 'told');
    writeFileSync(paths.stderrPath, '');
    const store = openLogStore(output, 'w', { clock: systemClock, log: silentLog });
    expect(await store.collect({ name, paths, isAbandoned: () => false })).toMatchObject({ kind: 'combined' });
    await store.tidy([]);
    expectOwnFile(combined, '');
    expect(gunzipSync(readFileSync(combined)).toString()).toContain('told');
  });

  it('in the place of a time series', async () => {
    const path = join(output, 'series', 'job_1.csv');
    plant(trap, path);
    const parts = { clock: systemClock, log: silentLog, startedAtMs: 0, everyMs: 1 };
    await new TimeSeries({ outputDirectory: output, path, ...parts }).close();
    expectOwnFile(path, 'seconds,');
  });

  it('in the place of a log of a worker', () => {
    const path = join(output, 'worker.log');
    plant(trap, path);
    const file = below(output, path, false, openOwnLog);
    writeFileSync(file, 'line');
    expectOwnFile(path, 'line');
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
  });

  it('in the place of the note whose outputs these are', () => {
    plant(trap, join(output, '.torc_server'));
    claimOutputs(output, '/srv');
    expectOwnFile(join(output, '.torc_server'), '/srv');
  });

  it('where room is made for user data and for what a recovery script reports', async () => {
    const path = join(output, 'deep', 'job_1.recovery');
    plant(trap, path);
    await openFileReader(output).makeRoom([path]);
    expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
    expectUntouched();
  });
});

it.each(['ln "$1" "$2"', 'mkfifo "$2"'])('%s: user data of a job are not read from there', async (trap) => {
  const path = join(output, 'data.json');
  plant(trap, path);
  expect(await openFileReader(output).readText(path, 100)).toEqual({ text: null, problem: 'is not a regular file' });
});
