#!/usr/bin/env node
/**
 * Makes a server directory with the program of an older commit, for the tests of upgrades:
 *
 *     node scripts/make-old-directory.mjs COMMIT...
 *
 * writes `test/fixtures/old-directories/NNN_COMMIT.tar.gz` for each commit, where NNN is the version of its schema. The
 * archive holds the directory as a killed program left it, with its log, the output of the jobs, and `recorded.json`: what the
 * old program itself listed. The commit is built in a temporary worktree with the packages of this checkout.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root, until, withOlderProgram } from './older-program.mjs';

const target = join(root, 'test', 'fixtures', 'old-directories');

/** Jobs that succeed, fail, are canceled for that, and write; with files and requirements. */
const ended = {
  name: 'ended',
  files: [{ name: 'table', path: 'table.txt' }],
  resource_requirements: [{ name: 'small', num_cpus: 1, memory: '100m', runtime: 'PT1M' }],
  jobs: [
    { name: 'write', command: `echo 42 > \${files.output.table}; echo written`, resource_requirements: 'small' },
    { name: 'read', command: `cat \${files.input.table}`, resource_requirements: 'small' },
    { name: 'fails', command: 'echo wrong >&2; exit 3' },
    { name: 'behind', command: 'true', depends_on: ['fails'] },
  ],
};
const waiting = {
  name: 'waiting',
  jobs: [
    { name: 'first', command: 'echo first' },
    { name: 'second', command: 'echo second', depends_on: ['first'] },
  ],
};
const killed = {
  name: 'killed',
  jobs: [
    { name: 'long', command: 'sleep 1000' },
    { name: 'after', command: 'echo after', depends_on: ['long'] },
  ],
};

for (const commit of process.argv.slice(2)) await make(commit);

async function make(commit) {
  await withOlderProgram(commit, async ({ tree, program, place, short }) => {
    await fill(program, place);
    const version = readdirSync(join(tree, 'src', 'storage', 'schema'))
      .toSorted()
      .at(-1)
      .slice(0, 3);
    mkdirSync(target, { recursive: true });
    const archive = join(target, `${version}_${short}.tar.gz`);
    rmSync(archive, { force: true });
    execFileSync('tar', ['-C', place, '--use-compress-program=gzip -9n', '-cf', archive, '.']);
    console.log(archive);
  });
}

async function fill(program, place) {
  const options = {
    cwd: place,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: place, LANG: 'C.UTF-8', TORC_DIR: join(place, 'server') },
  };
  const torc = (codes, ...words) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, '-n', '-F', 'json', ...words], options);
    if (!codes.includes(status)) throw new Error(`torc ${words.join(' ')} ended with ${status}: ${stdout}${stderr}`);
    return stdout.trim() === '' ? null : JSON.parse(stdout);
  };
  for (const spec of [ended, waiting, killed]) writeFileSync(join(place, `${spec.name}.json`), JSON.stringify(spec));
  torc([1], 'run', 'ended.json');
  torc([0], 'workflows', 'create', 'waiting.json');
  // a crash in the middle of a job: its worker and the owner of the database end at once
  const run = spawn(process.execPath, [program, '-n', 'run', 'killed.json'], {
    ...options,
    detached: true,
    stdio: 'ignore',
  });
  const log = join(place, 'server', 'torc.db-wal');
  await until(() => processesIn(place).some(({ words }) => words.startsWith('sleep 1000')));
  await delay(1500);
  const processes = processesIn(place);
  for (const { pid } of processes) process.kill(pid, 'SIGKILL');
  await new Promise((fulfil) => run.once('close', fulfil));
  if (!existsSync(log)) throw new Error('the killed program has left no log');
  const asLeft = join(place, 'as-left');
  cpSync(join(place, 'server'), asLeft, { recursive: true });
  const recorded = { place, lists: {} };
  recorded.lists.workflows = torc([0], 'workflows', 'list').workflows;
  const keys = recorded.lists.workflows.map((row) => row.workflow_key);
  for (const list of ['jobs', 'results']) {
    recorded.lists[list] = keys.flatMap((key) => torc([0], '-k', key, list, 'list')[list]);
  }
  // what those commands changed does not count
  rmSync(join(place, 'server'), { recursive: true });
  execFileSync('mv', [asLeft, join(place, 'server')]);
  for (const name of ['holder.json', 'heartbeat', 'server.json', 'key.pem'])
    rmSync(join(place, 'server', name), { force: true });
  writeFileSync(join(place, 'recorded.json'), `${JSON.stringify(recorded, null, 1)}\n`);
}

/** The processes of this user that work below a folder. */
function processesIn(folder) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        if (!environment.includes(folder)) return [];
        return [{ pid: Number(pid), words: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') }];
      } catch {
        return [];
      }
    });
}
