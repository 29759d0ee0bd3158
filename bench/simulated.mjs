// Workflows of no-op jobs, workers without processes, and a cheap client.
import { userInfo } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'node:tls';

const chunkSize = 5000;

/**
 * Creates and starts a workflow of no-op jobs through an Api; with `shapes` different resource requests. With a `width`
 * each job depends on the job `width` places before it. `ofJob` gives further fields of a job by its number, `ofWorkflow`
 * those of the workflow.
 */
export async function createNoops(
  api,
  numJobs,
  { shapes = 1, width = numJobs, slurm_configs = [], ofJob = () => ({}), ofWorkflow = {} } = {},
) {
  const begin = { ...beginRequest(numJobs, shapes, slurm_configs), ...ofWorkflow };
  const { workflow_key } = await api.call('workflow_create_begin', begin);
  for (let first = 0; first < numJobs; first += chunkSize) {
    const jobs = Array.from({ length: Math.min(chunkSize, numJobs - first) }, (_, index) => ({
      name: `job_${first + index}`,
      command: 'true',
      invocation_script: null,
      requirements: (first + index) % shapes,
      priority: 0,
      cancel_on_blocking_job_failure: true,
      supports_termination: false,
      input_files: [],
      output_files: [],
      input_user_data: [],
      output_user_data: [],
      ...ofJob(first + index),
    }));
    await api.call('workflow_create_chunk', {
      workflow_key,
      first_job: first,
      first_file: 0,
      first_user_data: 0,
      jobs,
      files: [],
      user_data: [],
      edges: jobs.flatMap((_, index) => (first + index < width ? [] : [[first + index - width, first + index]])),
    });
  }
  await api.call('workflow_create_finish', { workflow_key });
  await api.call('workflow_start', { workflow_key, dry_run: false });
  return workflow_key;
}

function beginRequest(numJobs, shapes, slurm_configs) {
  return {
    name: 'noops',
    user: userInfo().username,
    description: null,
    project: null,
    metadata: null,
    expiration_buffer_seconds: 0,
    wait_for_new_jobs_seconds: 1,
    ignore_workflow_completion: false,
    wait_for_healthy_database_minutes: 1,
    jobs_sort_method: 'none',
    requirements: Array.from({ length: shapes }, (_, index) => ({
      name: `r${index}`,
      num_cpus: 1,
      memory_bytes: 1024 + index,
      gpu_thousandths: 0,
      num_nodes: 1,
      runtime_ms: 60_000,
      is_memory_stated: false,
      is_runtime_stated: false,
    })),
    slurm_configs,
    failure_handlers: [],
    sample_interval_seconds: null,
    num_jobs: numJobs,
    num_files: 0,
    num_user_data: 0,
    num_barriers: 0,
  };
}

/** Registers a worker that accepts any job, `slots` at a time; returns its id. */
export async function sayHello(api, workflow_key, { index, slots, ...changes }) {
  const worker_id = (index + 1).toString(16).padStart(32, '0');
  await api.call('worker_hello', {
    protocol: 1,
    worker_id,
    workflow_key,
    hostname: `host${index}`,
    boot_id: 'bench',
    pid: 1,
    cluster: null,
    slurm_job_id: null,
    restart_count: 0,
    allocation_key: null,
    num_cpus: 1_000_000,
    memory_bytes: 2 ** 50,
    num_gpus: 0,
    max_parallel_jobs: slots,
    working_directory: null,
    output_directory: null,
    start_ticks: null,
    ...changes,
  });
  return worker_id;
}

/** An otherwise empty request of a worker, with the given changes. */
export function exchangeRequest(worker_id, changes) {
  return {
    protocol: 1,
    worker_id,
    seq: 1,
    epoch: 0,
    ack: 0,
    held: [],
    started: [],
    finished: [],
    returned: [],
    samples: [],
    time_left_ms: null,
    draining: false,
    leaving: false,
    ...changes,
  };
}

/**
 * Ends every job at once, without a process, until `most` jobs have ended, and then leaves, or until the server tells it to.
 * Calls `onReply` with the reply and its latency in milliseconds. `execMs`: the reported duration; the server gives short
 * jobs ahead of time.
 * `pace`: its jobs end one after the other, so many each second; it reports them in pieces, or all that have ended when it
 * has waited for the server.
 * `returnCodeOf`: the return code of a job, by its assignment; `usageOf`: further fields of its end. `result`: what each job leaves for those that wait for it.
 */
export async function runSimulatedWorker(
  api,
  worker_id,
  {
    most = Number.POSITIVE_INFINITY,
    onReply = () => {},
    execMs = 1,
    pace = null,
    returnCodeOf = () => 0,
    usageOf,
    result,
  } = {},
) {
  let [seq, ack, done, finished, held] = [0, 0, 0, [], []];
  const clock = pace === null ? null : await beginPaced(pace);
  for (;;) {
    seq += 1;
    // what was given to it is reported before it leaves: other jobs may wait for that
    if (done >= most) {
      await api.call('exchange', exchangeRequest(worker_id, { seq, ack, finished, draining: true, leaving: true }));
      return;
    }
    const begin = performance.now();
    const report = { seq, ack, finished, held: held.map(({ attempt }) => attempt) };
    const reply = await api.call('exchange', exchangeRequest(worker_id, report));
    onReply(reply, performance.now() - begin);
    if (reply.leave) break;
    done += reply.jobs.length;
    ack = reply.jobs.at(-1)?.attempt ?? ack;
    held.push(...reply.jobs);
    const ended = held.splice(0, clock === null ? held.length : await clock.numEnded(held.length));
    finished = endsOf(ended, execMs, returnCodeOf);
    if (usageOf !== undefined) for (const end of finished) Object.assign(end, usageOf());
    if (result !== undefined) for (const end of finished) end.result = result;
  }
}

/** Waits for any part of the time between two reports, or all workers would report at once. */
async function beginPaced({ jobsPerSecond, piece }) {
  const msOf = (numJobs) => (1000 * numJobs) / jobsPerSecond;
  await setTimeout(Math.random() * msOf(piece));
  const begin = performance.now();
  let numEnded = 0;
  return {
    /** How many of the jobs that it has have ended, when it is time to report. */
    async numEnded(numHeld) {
      const least = Math.min(numHeld, piece);
      const leftMs = begin + msOf(numEnded + least) - performance.now();
      if (leftMs > 0) await setTimeout(leftMs);
      const byNow = Math.floor(((performance.now() - begin) * jobsPerSecond) / 1000) - numEnded;
      const ended = Math.min(numHeld, Math.max(least, byNow));
      numEnded += ended;
      return ended;
    },
  };
}

/** Reports that jobs ended, although none ran. */
export function endsOf(jobs, execMs, returnCodeOf = () => 0) {
  return jobs.map((job) => {
    const code = returnCodeOf(job);
    return {
      attempt: job.attempt,
      start_age_ms: 1,
      age_ms: 0,
      status: 'done',
      return_code: code,
      cause: code === 0 ? 'success' : 'exit_code',
      exit_code: code,
      signal: null,
      detail: null,
      exec_ms: execMs,
      peak_memory_bytes: null,
      average_memory_bytes: null,
      cpu_ms: null,
    };
  });
}

/**
 * An Api over its own connection, for one request at a time: much cheaper than torc's client, so that the measurement
 * shows the server even on a machine with two cores.
 */
export async function openLeanClient({ addresses, certificate, token }) {
  const [host, port] = addresses[0].split(':');
  const socket = connect({
    host,
    port: Number(port),
    ca: certificate,
    servername: 'torc',
    checkServerIdentity: () => undefined,
  });
  let waiting = { resolve() {}, reject() {} };
  let text = '';
  // latin1: one character is one byte, as in content-length
  socket.setEncoding('latin1').setNoDelay(true);
  socket.on('data', (piece) => {
    text += piece;
    const begin = text.indexOf('\r\n\r\n') + 4;
    if (begin < 4) return;
    const end = begin + Number(/content-length: (\d+)/i.exec(text)[1]);
    if (text.length < end) return;
    const body = text.slice(begin, end);
    const isGood = text.startsWith('HTTP/1.1 200 ');
    text = text.slice(end);
    if (isGood) waiting.resolve(JSON.parse(body));
    else waiting.reject(new Error(`the server answered ${body}`));
  });
  const lost = (error) => waiting.reject(error ?? new Error('the connection was closed'));
  const connected = new Promise((resolve, reject) => {
    waiting = { resolve, reject };
    socket.once('secureConnect', resolve);
  });
  socket.on('error', lost).on('close', () => lost());
  await connected;
  return {
    call(endpoint, request) {
      const body = JSON.stringify(request);
      const head = `POST /v1/${endpoint} HTTP/1.1\r\nhost: torc\r\nauthorization: Bearer ${token}\r\n`;
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(
          `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
          'latin1',
        );
      });
    },
    close: () => void socket.destroy(),
  };
}
