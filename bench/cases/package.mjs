// Workers of many allocations that start at once from one unpacked package, as on a file system that all nodes share: what
// each opens there, and when it runs its first job. `npm run package` makes the package. Here all of them share the
// processors of one machine, which as many starts of node with nothing to do show as the baseline.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { workerNodeOptions } from '../../dist/base/program.js';
import { row, skipped } from '../report.mjs';
import {
  cpuSeconds,
  endedCpuSeconds,
  inDirectory,
  progress,
  repeat,
  root,
  secondsOf,
  start,
  startServer,
  time,
  until,
} from '../support.mjs';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const name = `torc-${version}-linux-${process.arch}`;

export async function packaged({ isFull, runs }) {
  const numWorkers = isFull ? 200 : 20;
  const archive = join(root, 'release', `${name}.tar.gz`);
  if (!existsSync(archive)) return [skipped('workers that start from the package', `there is no ${archive}`)];
  return await inDirectory(async (directory) => {
    await time('tar', ['-xzf', archive, '-C', directory]);
    const tree = join(directory, name);
    const node = join(tree, 'libexec', 'node');
    const starts = await repeat(runs, () => used(() => together(numWorkers, () => start(node, ['-e', '0']))));
    const measured = await repeat(runs, (run) => measure(join(directory, `run${run}`), tree, numWorkers));
    const of = (key, times = 1) => measured.map((each) => each[key] * times);
    const emptyOf = (key, times = 1) => starts.map((each) => each[key] * times);
    const perWorker = 1000 / numWorkers;
    return [
      row(`${numWorkers} workers started together from the package: first job of the first`, of('first'), 's'),
      row('.. first job of the last', of('last'), 's', {
        baseline: { what: `${numWorkers} x node -e 0, until all have ended`, samples: emptyOf('seconds') },
      }),
      row('.. processor time of each worker until its first job runs', of('cpu', perWorker), 'ms', {
        baseline: { what: 'node -e 0', samples: emptyOf('cpu', perWorker) },
      }),
      row('.. processor time of the server for each', of('serverCpu', perWorker), 'ms'),
      await openedRow(join(directory, 'traced'), tree),
    ];
  });
}

/** Seconds that `work` takes, and processor time of its processes. */
async function used(work) {
  const before = endedCpuSeconds();
  const seconds = await secondsOf(work);
  return { seconds, cpu: endedCpuSeconds() - before };
}

/**
 * Seconds until the first and until the last of these workers runs a job, which it keeps, and processor time: that of all
 * workers, each until then, and that of the server.
 */
async function measure(directory, tree, numWorkers) {
  progress(`${numWorkers} workers`);
  return await withAllocations(directory, tree, numWorkers, async (workerOf, server) => {
    const serverBefore = cpuSeconds(server.pid);
    const begin = Date.now() / 1000;
    const pids = [];
    const done = together(numWorkers, (index) => {
      const worker = workerOf(index, []);
      pids.push(worker.pid);
      return worker;
    });
    const seen = new Set();
    let cpu = 0;
    await until(
      'each worker has a job',
      () => {
        const names = readdirSync(directory).filter((name) => /^started_\d+$/.test(name) && !seen.has(name));
        for (const name of names) {
          seen.add(name);
          cpu += cpuSeconds(pids[Number(name.slice('started_'.length)) - 1]);
        }
        return seen.size === numWorkers;
      },
      900,
    );
    const serverCpu = cpuSeconds(server.pid) - serverBefore;
    await releasing(directory, done);
    const instants = [...seen].map((name) => Number(readFileSync(join(directory, name), 'utf8').replace(',', '.')));
    return { first: Math.min(...instants) - begin, last: Math.max(...instants) - begin, cpu, serverCpu };
  });
}

/** Lets the jobs of a directory end, which wait for somebody who writes to `go`. */
async function releasing(directory, done) {
  const file = openSync(join(directory, 'go'), 'r+');
  await done;
  closeSync(file);
}

/** How many files of the package one worker opens or executes until it has run a job. */
async function openedRow(directory, tree) {
  const what = 'files of the package that a worker in an allocation opens';
  if (spawnSync('strace', ['--version']).status !== 0) return skipped(what, 'there is no strace');
  const log = join(directory, 'opened');
  await withAllocations(directory, tree, 1, async (workerOf) => {
    const words = ['strace', '-f', '-z', '-e', 'trace=open,openat,execve', '-o', log];
    await releasing(
      directory,
      together(1, (index) => workerOf(index, words)),
    );
  });
  const opened = [...readFileSync(log, 'utf8').matchAll(/\b(?:open|openat|execve)\([^"]*"([^"]+)"/g)].map(
    ([, path]) => path,
  );
  return row(what, [new Set(opened.filter((path) => path.startsWith(`${tree}/`))).size], 'files');
}

/**
 * A workflow with a job for each allocation, and allocations that a stand-in for sbatch takes. `work` gets a function that
 * starts the worker of one, behind the words of another program, and the server.
 */
async function withAllocations(directory, tree, numAllocations, work) {
  const bin = join(directory, 'bin');
  mkdirSync(bin, { recursive: true });
  const count = join(directory, 'count');
  const sbatch = `cat >/dev/null; echo >>'${count}'; wc -l <'${count}'`;
  writeFileSync(join(bin, 'sbatch'), `#!/bin/sh\n${sbatch}\n`, { mode: 0o755 });
  const server = join(directory, 'server');
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, TORC_DIR: server };
  const torc = (...words) => time(join(tree, 'bin', 'torc'), words, { cwd: directory, env });
  const held = await startServer(server);
  try {
    await time('mkfifo', [join(directory, 'go')]);
    const command =
      'date +%s.%6N >started_$SLURM_JOB_ID.new; mv started_$SLURM_JOB_ID.new started_$SLURM_JOB_ID; : <go';
    const jobs = Array.from({ length: numAllocations }, (_, index) => ({ name: `job_${index}`, command }));
    const spec = join(directory, 'spec.json');
    writeFileSync(spec, JSON.stringify({ name: 'package', jobs }));
    await torc('workflows', 'create', spec);
    await torc('workflows', 'start', '1');
    await torc('hpc', 'slurm', 'add-config', '-k', '1', '-N', 'short', '-a', 'a', '-w', '01:00:00');
    await torc('hpc', 'slurm', 'schedule-nodes', '-k', '1', '-n', String(numAllocations));
    const workerOf = (index, before) => {
      const run = ['hpc', 'slurm', 'run-jobs', '1', '--allocation', String(index + 1), '--walltime', '3600'];
      const program = [...workerNodeOptions, join(tree, 'dist', 'cli', 'main.js'), ...run, '--output', 'out'];
      const [command, ...words] = [...before, join(tree, 'libexec', 'node'), ...program];
      const slurm = { SLURM_JOB_ID: String(index + 1), SLURM_CPUS_ON_NODE: '1', SLURM_MEM_PER_NODE: '1000' };
      const nodes = { SLURM_JOB_NUM_NODES: '1', SLURM_JOB_NODELIST: `n${index}`, SLURMD_NODENAME: `n${index}` };
      return start(command, words, { cwd: directory, stdio: 'ignore', env: { ...env, ...slurm, ...nodes } });
    };
    return await work(workerOf, held);
  } finally {
    await held.stop();
  }
}

/** Starts processes and waits until all have ended with 0. */
async function together(number, startOne) {
  const children = Array.from({ length: number }, (_, index) => startOne(index));
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  const failed = codes.filter((code) => code !== 0);
  if (failed.length > 0) throw new Error(`${failed.length} of ${number} processes failed, one with ${failed[0]}`);
}
