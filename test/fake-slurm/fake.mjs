/**
 * A Slurm for tests of the command line: `node fake.mjs COMMAND ARGS..`, behind the executables in bin/. It answers
 * in the words and formats of Slurm 22.05, as far as torc asks for them; an option that it does not know is an error.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { directivesOf, secondsOf } from './directives.mjs';
import { accountedRows, queuedRows, sinfoRows } from './rows.mjs';
import { memoryMegabytes, nodesOf, shownConfig, shownNodes, shownPartitions } from './site.mjs';
import {
  allJobs,
  isEnded,
  locked,
  newJobId,
  nextBehaviour,
  readJob,
  recordCall,
  settings,
  writeJob,
} from './state.mjs';

const [command = '', ...args] = process.argv.slice(2);

// Synchronous, so that nothing is lost at exit.
const print = (text) => writeSync(1, text);
function fail(text, code = 1) {
  writeSync(2, `${text}\n`);
  process.exit(code);
}

/** Splits into long options (`--name=value`, `--name`) and the rest. */
function options(known) {
  const found = { rest: [] };
  for (const argument of args) {
    const [, name, value] = /^--([a-z0-9-]+)(?:=(.*))?$/is.exec(argument) ?? [];
    if (name === undefined) found.rest.push(argument);
    else if (known.includes(name)) found[name] = value ?? '';
    else fail(`${command}: unrecognized option '${argument}'`);
  }
  return found;
}

function startRunner(id) {
  const runner = fileURLToPath(new URL('run-job.mjs', import.meta.url));
  const env = { ...process.env, SLURM_JOB_ID: undefined };
  spawn(process.execPath, [runner, id], { detached: true, stdio: 'ignore', env }).unref();
}

function sbatch() {
  const { rest, 'test-only': isTest } = options(['parsable', 'test-only']);
  const path = rest[0] ?? '';
  let script = '';
  try {
    script = readFileSync(path === '' ? 0 : path, 'utf8');
  } catch {
    fail(`sbatch: error: Unable to open file ${path}`);
  }
  if (!script.startsWith('#!')) fail('sbatch: error: This does not look like a batch script.');
  const directives = directivesOf(script);
  const job = {
    id: newJobId(),
    name: process.env.SBATCH_JOB_NAME ?? directives['job-name'] ?? (path === '' ? 'sbatch' : basename(path)),
    state: 'PENDING',
    reason: 'Priority',
    restarts: 0,
    submitMs: Date.now(),
    startMs: null,
    endMs: null,
    exit: '0:0',
    timeLimitSeconds: secondsOf(process.env.SBATCH_TIMELIMIT ?? directives.time ?? ''),
    numNodes: Number(directives.nodes ?? 1),
    partition: process.env.SBATCH_PARTITION ?? (directives.partition || 'main'),
    output: directives.output ?? 'slurm-%j.out',
    directives,
    script,
    workingDirectory: process.cwd(),
    environment: process.env,
  };
  if (isTest !== undefined) return estimated(job);
  writeJob(job);
  if (settings().run) startRunner(job.id);
  print(`${job.id}\n`);
}

/** On standard error, in the words of Slurm; it uses up an id and submits nothing. */
function estimated({ id, directives, numNodes, partition }) {
  const nodes = nodesOf[partition];
  if (nodes === undefined) {
    writeSync(2, `sbatch: error: invalid partition specified: ${partition}\n`);
    fail('allocation failure: Invalid partition name specified');
  }
  if (numNodes > nodes.length || Number.parseInt(directives.mem ?? '0', 10) > memoryMegabytes)
    fail('allocation failure: Requested node configuration is not available');
  const at = new Date(settings().startsAt ?? Date.now()).toISOString().slice(0, 19);
  const names = nodes.slice(0, numNodes).join(',');
  writeSync(
    2,
    `sbatch: Job ${id} to start at ${at} using ${numNodes} processors on nodes ${names} in partition ${partition}\n`,
  );
}

function squeue() {
  const asked = options(['noheader', 'states', 'Format', 'jobs', 'user', 'name']);
  const ids = asked.jobs?.split(',');
  if (ids?.length === 1 && readJob(ids[0]) === null) fail('slurm_load_jobs error: Invalid job id specified');
  const isShown = (job) =>
    (ids === undefined || ids.includes(job.id)) &&
    (asked.user === undefined || asked.user === String(process.getuid())) &&
    (asked.name === undefined || asked.name.split(',').includes(job.name)) &&
    (!isEnded(job) || (asked.states === 'all' && !settings().forgetsEnded));
  print(queuedRows(allJobs().filter(isShown), asked.Format ?? fail('fake squeue: --Format is missing')));
}

function sacct() {
  const asked = options(['noheader', 'parsable2', 'duplicates', 'starttime', 'format', 'jobs']);
  if (!settings().accounting) fail('Slurm accounting storage is disabled');
  const ids = asked.jobs?.split(',') ?? [];
  const jobs = allJobs().filter((job) => ids.includes(job.id));
  const starts = jobs.flatMap((job) => [...(asked.duplicates === undefined ? [] : (job.earlier ?? [])), job]);
  print(accountedRows(starts, asked.format ?? fail('fake sacct: --format is missing')));
}

function scancel() {
  const asked = options(['state']);
  for (const id of asked.rest) {
    if (!/^\d+$/.test(id)) fail(`scancel: error: Invalid job id ${id}`);
    // as one step: a job may be about to begin, or to end
    locked(() => {
      const job = readJob(id);
      if (job === null || isEnded(job) || (asked.state !== undefined && job.state !== asked.state)) return;
      if (typeof job.runnerPid === 'number') process.kill(job.runnerPid, 'SIGTERM');
      else writeJob({ ...job, state: `CANCELLED by ${process.getuid()}`, startMs: Date.now(), endMs: Date.now() });
    });
  }
}

const shown = { config: shownConfig, partition: shownPartitions, node: shownNodes };

function scontrol() {
  const [verb, ...rest] = args.filter((argument) => argument !== '--oneliner');
  if (verb === 'show' && Object.hasOwn(shown, rest[0] ?? '')) return print(shown[rest[0]](settings()));
  const id = rest.at(-1) ?? '';
  const job = readJob(id);
  if (job === null) fail('slurm_load_jobs error: Invalid job id specified');
  if (verb === 'requeue') {
    if (typeof job.runnerPid !== 'number') fail(`Requested operation is presently disabled for job ${id}`);
    process.kill(job.runnerPid, 'SIGHUP');
    return;
  }
  if (verb !== 'show' || rest[0] !== 'job') fail(`fake scontrol: not known: ${args.join(' ')}`);
  const state = job.state.split(' ')[0];
  print(`JobId=${job.id} JobName=${job.name}\n   UserId=${process.env.USER}(${process.getuid()}) GroupId=x(0) MCS_label=N/A
   JobState=${state} Reason=${job.reason} Dependency=(null)
   Requeue=1 Restarts=${job.restarts} BatchFlag=1 Reboot=0 ExitCode=${job.exit}
   Partition=${job.partition} AllocNode:Sid=login:1
   NumNodes=${job.numNodes} NumCPUs=1 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*\n\n`);
}

/** One copy of the command for each node, all of them on this machine. */
async function srun() {
  const option = (name) => args.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
  const count = Number(option('ntasks') ?? option('nodes') ?? 1);
  const nodes = option('nodelist')?.split(',') ?? [];
  const at = args.findIndex((argument) => !argument.startsWith('-'));
  const [file = '', ...rest] = args.slice(at);
  const codes = await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const env = { ...process.env, SLURM_NODEID: String(index), SLURM_PROCID: String(index) };
      const child = spawn(file, rest, {
        stdio: 'inherit',
        env: { ...env, SLURMD_NODENAME: nodes[index] ?? `fake${index + 1}` },
      });
      for (const name of ['SIGTERM', 'SIGUSR2']) process.on(name, () => child.kill(name));
      return new Promise((resolve) => {
        child.on('error', () => resolve(2));
        child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
      });
    }),
  );
  process.exitCode = Math.max(...codes);
}

const sinfo = () => print(sinfoRows(options(['noheader', 'exact', 'format']).format ?? '', settings()));

recordCall(command, args);
const behaviour = nextBehaviour(command);
if (behaviour !== null) {
  await sleep(behaviour.delayMs);
  print(behaviour.stdout);
  writeSync(2, behaviour.stderr);
  if (behaviour.instead) process.exit(behaviour.exitCode);
}
await (
  { sbatch, squeue, sacct, scancel, scontrol, sinfo, srun }[command] ?? (() => fail(`fake Slurm: no ${command}`))
)();
if (behaviour !== null) process.exitCode = behaviour.exitCode;
