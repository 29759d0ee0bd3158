// How often a server calls Slurm: the real server with the fake Slurm of the tests in its PATH, which counts calls.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { row } from '../report.mjs';
import { createNoops, sayHello } from '../simulated.mjs';
import { inDirectory, progress, root, withServer } from '../support.mjs';

const numAllocations = 1000;
/** In each step this many workers register and then stay silent, and this many allocations end. */
const stepSeconds = 3;
const [hellosPerStep, endsPerStep] = [5, 2];
/** How long a worker may be silent. */
const leaseSeconds = 120;

const config = {
  name: 'default',
  account: 'bench',
  partition: null,
  qos: null,
  walltime_seconds: 14_400,
  num_nodes: 1,
  ntasks_per_node: null,
  mem: null,
  tmp: null,
  gres: null,
  extra: null,
};

const nameOf = (index) => `worker_${index}`;

/** Tells the fake Slurm about an allocation, which is running unless the changes say otherwise. */
function writeJob(fake, index, changes = {}) {
  const job = {
    id: String(index + 1),
    name: nameOf(index),
    state: 'RUNNING',
    reason: 'None',
    restarts: 0,
    exit: '0:0',
  };
  const times = { submitMs: Date.now(), startMs: Date.now(), endMs: null, timeLimitSeconds: config.walltime_seconds };
  const path = join(fake, 'jobs', `${job.id}.json`);
  writeFileSync(path, JSON.stringify({ ...job, ...times, numNodes: 1, partition: 'main', ...changes }));
}

async function recordAllocations(api, key, fake) {
  const { records } = await api.call('list', {
    ...{ list: 'slurm_configs', workflow_key: key, filters: [], sort_by: null, reverse: false, limit: 1, skip: 0 },
  });
  const { allocation_keys } = await api.call('allocations_record', {
    workflow_key: key,
    slurm_config_key: String(records[0].slurm_config_key),
    allocations: Array.from({ length: numAllocations }, (_, index) => ({
      name: nameOf(index),
      num_nodes: 1,
      one_worker_per_node: false,
      script_path: join(fake, 'script'),
      output_directory: fake,
    })),
  });
  for (const [index, allocation_key] of allocation_keys.entries()) {
    writeJob(fake, index);
    const slurm_job_id = String(index + 1);
    await api.call('allocation_confirm', { allocation_key, slurm_job_id, cluster: null, error: null });
  }
  return allocation_keys;
}

/** Times of the calls so far, in seconds. */
function callsOf(fake) {
  const lines = readFileSync(join(fake, 'calls.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line).at / 1000);
}

/** Lets workers register and fall silent and allocations end for `seconds`; returns the times of all calls in seconds. */
async function watchCalls(seconds) {
  return await inDirectory(async (directory) => {
    const fake = join(directory, 'fake');
    mkdirSync(join(fake, 'jobs'), { recursive: true });
    const bin = join(root, 'test', 'fake-slurm', 'bin');
    const env = { ...process.env, FAKE_SLURM_DIR: fake, PATH: `${bin}${delimiter}${process.env.PATH}` };
    const watch = async ({ api }) => {
      const key = await createNoops(api, 1, { slurm_configs: [config] });
      const allocationKeys = await recordAllocations(api, key, fake);
      const begin = Date.now() / 1000;
      let [numHellos, numEnds] = [0, 0];
      while (Date.now() / 1000 - begin < seconds) {
        for (let n = 0; n < hellosPerStep && numHellos < numAllocations; n++, numHellos++) {
          const [slurm_job_id, allocation_key] = [String(numHellos + 1), allocationKeys[numHellos]];
          await sayHello(api, key, { index: numHellos, slots: 1, slurm_job_id, allocation_key });
        }
        for (let n = 0; n < endsPerStep && numEnds < numAllocations; n++, numEnds++) {
          writeJob(fake, numAllocations - 1 - numEnds, { state: 'COMPLETED', endMs: Date.now() });
        }
        await new Promise((resolve) => setTimeout(resolve, stepSeconds * 1000));
      }
      return callsOf(fake).map((at) => at - begin);
    };
    return await withServer(join(directory, 'server'), watch, { env });
  });
}

export async function slurmCalls({ isFull }) {
  const budget = { atMost: 2 };
  // 15 seconds for the first look at everything, then whole minutes
  const first = 15;
  const seconds = isFull ? leaseSeconds + first + 120 : first + 60;
  progress(`watching a server for ${seconds} s`);
  const calls = await watchCalls(seconds);
  const perMinute = (from, to) => (calls.filter((at) => at >= from && at < to).length * 60) / (to - from);
  const title = `calls to Slurm, ${numAllocations} allocations, some of them ending`;
  const rows = [row(title, [perMinute(first, isFull ? leaseSeconds + first : seconds)], 'a minute', { budget })];
  if (isFull) {
    const samples = [perMinute(leaseSeconds + first, seconds)];
    rows.push(row('.. while workers fall silent all the time', samples, 'a minute', { budget }));
  }
  return rows;
}
