/** What the fake Slurm remembers: files in the directory that FAKE_SLURM_DIR names, one JSON document per job. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export const directory = process.env.FAKE_SLURM_DIR ?? '';
if (directory === '') {
  process.stderr.write('fake Slurm: FAKE_SLURM_DIR is not set\n');
  process.exit(2);
}
const jobsDirectory = join(directory, 'jobs');
// a command that comes late does not bring back what is removed
if (existsSync(directory)) mkdirSync(jobsDirectory, { recursive: true });

function readJson(path, otherwise) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : otherwise;
}

function writeJson(path, value) {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(value));
  renameSync(temporary, path);
}

/** Settings of the cluster; fake-slurm.ts writes them. */
export function settings() {
  const defaults = {
    run: false,
    accounting: true,
    forgetsEnded: false,
    cpusPerNode: 2,
    killWaitSeconds: 2,
    maxTime: 'UNLIMITED',
  };
  return { ...defaults, ...readJson(join(directory, 'settings.json'), {}) };
}

/** One call at a time changes what several share. */
export function locked(change) {
  const lock = join(directory, 'lock');
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  try {
    return change();
  } finally {
    rmdirSync(lock);
  }
}

export function recordCall(command, args) {
  appendFileSync(join(directory, 'calls.jsonl'), `${JSON.stringify({ command, args, at: Date.now() })}\n`);
}

/** The next planned misbehaviour of a command, or null; each is used up as often as it says. */
export function nextBehaviour(command) {
  return locked(() => {
    const path = join(directory, 'behaviours.json');
    const behaviours = readJson(path, []);
    const found = behaviours.find((behaviour) => behaviour.command === command);
    if (found === undefined) return null;
    found.times -= 1;
    writeJson(
      path,
      behaviours.filter((behaviour) => behaviour.times > 0),
    );
    return found;
  });
}

export function newJobId() {
  return locked(() => {
    const path = join(directory, 'last-id.json');
    const id = readJson(path, 0) + 1;
    writeJson(path, id);
    return String(id);
  });
}

export function readJob(id) {
  return readJson(join(jobsDirectory, `${id}.json`), null);
}

export function allJobs() {
  return readdirSync(jobsDirectory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => readJob(file.slice(0, -'.json'.length)))
    .sort((a, b) => Number(a.id) - Number(b.id));
}

export function writeJob(job) {
  writeJson(join(jobsDirectory, `${job.id}.json`), job);
}

/** Changes fields of a job as it stands at that moment. */
export function changeJob(id, changes) {
  return locked(() => {
    const job = { ...readJob(id), ...changes };
    writeJob(job);
    return job;
  });
}

export const isEnded = (job) => !['PENDING', 'RUNNING', 'COMPLETING', 'SUSPENDED', 'CONFIGURING'].includes(job.state);
