#!/usr/bin/env node
/**
 * Programs of older commits beside this checkout, which must be built:
 *
 *     node scripts/test-old-programs.mjs [COMMIT...]
 *
 * Workers of each run jobs of a server of this checkout, which is killed and started again in the middle: every job must end
 * once, as it did. And a directory that the older program has made is upgraded, which the older one must then refuse and leave
 * as it is; after the copy has been restored, it must work with it as before. And every command that reads asks the older server:
 * it must answer as a whole, or say that the server is older. Without commits: the last one before each change
 * of the schema of which a directory is kept for the tests of upgrades.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, until, withOlderProgram } from './older-program.mjs';

/** The first schema whose workers are supported. */
const oldestOfWorkers = 8;
/** The first schema whose servers answer all that the commands of `always` ask. */
const oldestOfServers = 44;
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

/** Commands that read, with the workflow that has run; of the plans, those that every server can make. */
const readings = [
  'status',
  'status 1',
  'why 1',
  '-k 1 why 3',
  'workflows list',
  'workflows show 1',
  'workflows status 1',
  'workflows runs 1',
  'workflows is-complete 1',
  'workflows show-status 1',
  'workflows export 1',
  'workflows restart 1 --dry-run',
  'workflows start 2 --dry-run',
  'workflows cancel 2 --dry-run',
  'recover 1 --dry-run',
  'workflows reset-status 1 --failed-only --dry-run',
  'workflows delete 2 --dry-run',
  'workflows correct-resources 1 --dry-run',
  '-k 1 jobs list',
  'jobs show 3',
  '-k 1 jobs diagnose',
  'jobs logs 1',
  '-k 1 results list',
  '-k 1 files list',
  '-k 1 events list',
  '-k 1 actions list',
  '-k 1 user-data list',
  '-k 1 resource-requirements list',
  '-k 1 compute-nodes list',
  '-k 1 limits list',
  'schedules list',
  'generators list',
  '-k 1 notifications list',
  'reports summary 1',
  'reports resources 1',
  'reports usage 1',
  'reports results 1',
  'reports timeline 1',
  'reports utilization 1',
  'reports failures 1',
  'reports html 1 -o report.html',
  'graphs plot 1',
  '-k 1 hpc slurm plan',
  '-k 1 hpc slurm recommend-nodes',
  '-k 1 hpc slurm allocations',
  '-k 1 hpc slurm list-configs',
  'hpc slurm site show',
  'logs analyze 1',
  'server info',
  'server check',
  'server prune --older-than 1d --logs --dry-run',
  'watch 1',
  'doctor',
];
/** Those that answer whatever the server is: they need nothing that came later. */
const always = [
  'status',
  'status 1',
  'why 1',
  'workflows list',
  'workflows show 1',
  '-k 1 jobs list',
  '-k 1 results list',
  'watch 1',
];

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
    if (isOlder && schemaVersion(older.tree) >= oldestOfServers) testReading(older);
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

/** A server of the older program: what reads answers as a whole, or says that the server is older. */
function testReading({ program, place: parent, short }) {
  const place = join(parent, 'reading');
  mkdirSync(place);
  const older = programIn(place, program);
  writeFileSync(join(place, 'spec.json'), JSON.stringify({ ...spec, jobs: spec.jobs.slice(0, 5) }));
  older.torc([1], 'run', 'spec.json');
  older.torc([0], 'workflows', 'create', 'spec.json');
  const { pid } = older.torc([0], 'server', 'start', '--daemon');
  let numRefused = 0;
  try {
    for (const line of readings) {
      for (const format of ['json', 'text']) {
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [main, '-n', '-F', format, ...line.split(' ')],
          older.options,
        );
        const isRefused = status === 5 && stderr.includes(`(pid ${pid}) is of an older torc`);
        numRefused += isRefused ? 1 : 0;
        // 1 is what failed jobs give, 3 that there is no Slurm, 7 that nothing is left to do
        const isKnown = isRefused ? !always.includes(line) : [0, 1, 3, 7].includes(status);
        if (!isKnown || /undefined|\bNaN|TypeError/.test(stdout + stderr)) {
          throw new Error(`'${line}' with a server of ${short} ended with ${status}: ${stdout}${stderr}`);
        }
      }
    }
  } finally {
    spawnSync('kill', ['-KILL', String(pid)]);
  }
  console.log(
    `a server of ${short}: ${2 * readings.length - numRefused} commands read, ${numRefused} say that it is older`,
  );
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
