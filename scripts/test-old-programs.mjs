#!/usr/bin/env node
/**
 * Programs of older commits beside this checkout, which must be built:
 *
 *     node scripts/test-old-programs.mjs [COMMIT...]
 *
 * Workers of each run jobs of a server of this checkout, which is killed and started again in the middle: every job must end
 * once, as it did. And a directory that the older program has made is upgraded, which the older one must then refuse and leave
 * as it is; after the copy has been restored, it must work with it as before. Without commits: the last one before each change
 * of the schema of which a directory is kept for the tests of upgrades.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, until, withOlderProgram } from './older-program.mjs';

/** The first schema whose workers are supported. */
const oldestOfWorkers = 8;
/** Made between two migrations that came out of order: this torc does not upgrade its directories. */
const betweenReleases = '00ff535';
const kept = readdirSync(join(root, 'test', 'fixtures', 'old-directories')).map(
  (name) => /_([0-9a-f]+)\./.exec(name)[1],
);
const main = join(root, 'dist', 'cli', 'main.js');
const schemaVersion = (tree) =>
  Math.max(...readdirSync(join(tree, 'src', 'storage', 'schema')).map((name) => Number.parseInt(name, 10)));
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
  console.error(
    '!! This clone does not have the whole history (git fetch --unshallow): no older programs were tested.',
  );
  process.exit(1);
}
for (const commit of given.length > 0 ? given : kept) {
  await withOlderProgram(commit, async (older) => {
    if (schemaVersion(older.tree) >= oldestOfWorkers) await testWorker(older);
    const isOlder = schemaVersion(older.tree) < schemaVersion(root);
    if (isOlder && older.short !== betweenReleases) testGoingBack(older);
  });
}

function isComplete() {
  return kept.every((commit) => spawnSync('git', ['-C', root, 'cat-file', '-e', commit]).status === 0);
}

/** A function that runs a program below a folder and returns what it prints as JSON; `codes` are those it may end with. */
function programIn(place, program) {
  const env = { PATH: process.env.PATH, HOME: place, LANG: 'C.UTF-8', TORC_DIR: join(place, 'server') };
  const options = { cwd: place, encoding: 'utf8', env };
  const run = (...words) => spawnSync(process.execPath, [program, '-n', '-F', 'json', ...words], options);
  const torc = (codes, ...words) => {
    const { status, stdout, stderr } = run(...words);
    if (!codes.includes(status)) throw new Error(`torc ${words.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout.trim() === '' ? null : JSON.parse(stdout);
  };
  return { options, run, torc };
}

/**
 * Upgrade and back: the older program refuses what the newer one has upgraded, says why and changes nothing; with the restored
 * copy it has all that it had before, and runs jobs.
 */
function testGoingBack({ tree, program, place: parent, short }) {
  const place = join(parent, 'going back');
  mkdirSync(place);
  const older = programIn(place, program);
  const newer = programIn(place, main);
  const database = join(place, 'server', 'torc.db');
  const lists = ({ torc }) => {
    const { workflows } = torc([0], 'workflows', 'list');
    const keys = workflows.map((row) => row.workflow_key);
    return [
      workflows,
      ...keys.flatMap((key) => ['jobs', 'results'].map((list) => torc([0], '-k', key, list, 'list')[list])),
    ];
  };
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const fail = (what) => {
    throw new Error(`torc ${short}: ${what}`);
  };

  writeFileSync(join(place, 'spec.json'), JSON.stringify({ ...spec, jobs: spec.jobs.slice(0, 5) }));
  older.torc([1], 'run', 'spec.json');
  const before = lists(older);
  const [was, is] = [schemaVersion(tree), schemaVersion(root)];
  newer.torc([0], 'workflows', 'create', 'spec.json');
  const [copy] = readdirSync(join(place, 'server', 'backups')).filter((name) => name.startsWith(`schema_${was}_`));
  if (copy === undefined) fail('its directory was not copied before the upgrade');
  const upgraded = lists(newer);

  for (const words of [
    ['workflows', 'list'],
    ['workflows', 'create', 'spec.json'],
    ['run', 'spec.json'],
    ['server', 'start', '--daemon'],
  ]) {
    const { status, stdout, stderr } = older.run(...words);
    const isExplained = new RegExp(
      `has schema version ${is}; this torc (supports|knows) versions up to ${was}\\b`,
    ).test(stderr);
    // 4 was the code of all conflicts once
    if (![4, 5].includes(status) || stdout !== '' || !isExplained)
      fail(`'${words.join(' ')}' in a newer directory ended with ${status}: ${stdout}${stderr}`);
  }
  if (!same(lists(newer), upgraded)) fail('it has changed a newer directory');

  newer.torc([0], 'server', 'restore', join(place, 'server', 'backups', copy));
  if (!same(lists(older), before)) fail('the restored copy is not what it had before');
  older.torc([1], 'run', 'spec.json');
  if (lists(older)[0].length !== 2) fail('it made no workflow in the restored directory');
  newer.torc([0], 'workflows', 'list');
  if (newer.torc([0], 'server', 'check').sound !== true) fail(`${database} is not sound after the second upgrade`);
  console.log(`torc ${short}: refuses schema version ${is}, and works with the restored copy of version ${was}`);
}

async function testWorker({ program, place, short }) {
  const { options, torc: run } = programIn(place, main);
  const torc = (...words) => run([0], ...words);
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
