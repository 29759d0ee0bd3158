#!/usr/bin/env node
/**
 * Runs jobs with workers of older commits and the server of this checkout, which must be built:
 *
 *     node scripts/test-old-workers.mjs [COMMIT...]
 *
 * The server is killed and started again in the middle. Every job must end once, as it did. Without commits: the last one
 * before each change of the schema of which a directory is kept for the tests of upgrades, from the first one on whose workers
 * are supported.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, until, withOlderProgram } from './older-program.mjs';

const oldestSchema = 8;
const kept = readdirSync(join(root, 'test', 'fixtures', 'old-directories'))
  .filter((name) => Number.parseInt(name, 10) >= oldestSchema)
  .map((name) => /_([0-9a-f]+)\./.exec(name)[1]);
const given = process.argv.slice(2);

const spec = {
  name: 'old workers',
  files: [{ name: 'table', path: 'table.txt' }],
  resource_requirements: [{ name: 'small', num_cpus: 1, memory: '100m', runtime: 'PT1M' }],
  jobs: [
    { name: 'write', command: `echo 42 > \${files.output.table}`, resource_requirements: 'small' },
    { name: 'read', command: `cat \${files.input.table}`, resource_requirements: 'small' },
    { name: 'fails', command: 'exit 3' },
    { name: 'behind', command: 'true', depends_on: ['fails'] },
    { name: 'signal', command: 'kill -9 $$' },
    { name: 'long', command: 'touch long-runs; while [ ! -e let-go ]; do sleep 0.1; done' },
    { name: 'after', command: 'echo after', depends_on: ['long'] },
  ],
};
const expected = {
  after: ['done', 0],
  behind: ['canceled', null],
  fails: ['done', 3],
  long: ['done', 0],
  read: ['done', 0],
  signal: ['done', 137],
  write: ['done', 0],
};

if (given.length === 0 && !isComplete()) {
  console.error('!! This clone does not have the whole history (git fetch --unshallow): no older workers were tested.');
  process.exit(1);
}
for (const commit of given.length > 0 ? given : kept) await withOlderProgram(commit, test);

function isComplete() {
  return kept.every((commit) => spawnSync('git', ['-C', root, 'cat-file', '-e', commit]).status === 0);
}

async function test({ program, place, short }) {
  const options = {
    cwd: place,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: place, LANG: 'C.UTF-8', TORC_DIR: join(place, 'server') },
  };
  const torc = (...words) => {
    const main = join(root, 'dist', 'cli', 'main.js');
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, '-n', '-F', 'json', ...words], options);
    if (status !== 0) throw new Error(`torc ${words.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout.trim() === '' ? null : JSON.parse(stdout);
  };
  writeFileSync(join(place, 'spec.json'), JSON.stringify(spec));
  let { pid } = torc('server', 'start', '--daemon');
  let worker = null;
  try {
    const { workflow_key: key } = torc('workflows', 'create', 'spec.json');
    torc('workflows', 'start', key);
    worker = spawn(process.execPath, [program, '-n', 'jobs', 'run', key], { ...options, stdio: 'ignore' });
    const ended = new Promise((fulfil) => worker.once('close', fulfil));
    await until(() => readdirSync(place).includes('long-runs') || worker.exitCode !== null);
    process.kill(pid, 'SIGKILL');
    writeFileSync(join(place, 'let-go'), '');
    ({ pid } = torc('server', 'start', '--daemon'));
    const statuses = () => torc('-k', key, 'jobs', 'list').jobs;
    await until(
      () => statuses().every(({ status }) => ['done', 'canceled'].includes(status)) || worker.exitCode !== null,
    );
    await ended;
    const found = Object.fromEntries(statuses().map((job) => [job.name, [job.status, job.return_code]]));
    const names = Object.keys(expected);
    const wrong = names.filter((name) => JSON.stringify(found[name]) !== JSON.stringify(expected[name]));
    const numResults = torc('-k', key, 'results', 'list').results.length;
    if (wrong.length > 0 || numResults !== 6 || readFileSync(join(place, 'table.txt'), 'utf8') !== '42\n') {
      throw new Error(`a worker of ${short}: ${numResults} results, ${JSON.stringify(found)}`);
    }
    console.log(`a worker of ${short}: every job has ended as it should`);
  } finally {
    worker?.kill('SIGKILL');
    spawnSync('kill', ['-KILL', String(pid)]);
  }
}
