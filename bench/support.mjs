// Fresh directories, whole processes with their time and peak memory, and workers without processes.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const torc = join(root, 'dist', 'cli', 'main.js');

/**
 * Calls `work` with a fresh directory. All are removed together at the end: ext4 makes files several times more slowly
 * while many that were just deleted stand in its way, which the next measurement would pay for.
 */
export async function inDirectory(work) {
  const directory = mkdtempSync(join(tmpdir(), 'torc-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return await work(directory);
}

/** Runs a command to its end; seconds, its output, and the highest resident memory seen of it in MB. */
export function time(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    let output = '';
    let peakMb = 0;
    const watch = setInterval(() => {
      peakMb = Math.max(peakMb, residentPeakMb(child.pid) ?? 0);
    }, 20);
    child.stdout?.on('data', (piece) => {
      output += piece;
    });
    child.stdin?.end(options.input ?? '');
    child.on('error', reject);
    child.on('exit', (code) => {
      clearInterval(watch);
      resolve({ seconds: (performance.now() - begin) / 1000, code, output, peakMb });
    });
  });
}

/** The highest resident memory of a process so far, in MB. */
export function residentPeakMb(pid) {
  try {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? null : Number(line[1]) / 1024;
  } catch {
    return null;
  }
}

/** Several runs of `measure`, one after the other. */
export async function repeat(runs, measure) {
  const samples = [];
  for (let run = 0; run < runs; run++) samples.push(await measure(run));
  return samples;
}

/**
 * Creates and starts a workflow of no-op jobs through an Api; `shapes` different resource requests. With a `width` each
 * job depends on the one that many before it.
 */
export async function createNoops(api, numJobs, shapes = 1, width = numJobs) {
  const requirements = Array.from({ length: shapes }, (_, index) => ({
    name: `r${index}`,
    num_cpus: 1,
    memory_bytes: 1024 + index,
    gpu_thousandths: 0,
    num_nodes: 1,
    runtime_ms: 60_000,
    is_memory_stated: false,
    is_runtime_stated: false,
  }));
  const { workflow_key } = await api.call('workflow_create_begin', {
    name: 'noops',
    user: 'bench',
    description: null,
    project: null,
    metadata: null,
    expiration_buffer_seconds: 0,
    wait_for_new_jobs_seconds: 1,
    ignore_workflow_completion: false,
    wait_for_healthy_database_minutes: 1,
    jobs_sort_method: 'none',
    requirements,
    slurm_configs: [],
    failure_handlers: [],
    sample_interval_seconds: null,
    num_jobs: numJobs,
    num_files: 0,
    num_user_data: 0,
    num_barriers: 0,
  });
  const chunk = 5000;
  for (let first = 0; first < numJobs; first += chunk) {
    const jobs = Array.from({ length: Math.min(chunk, numJobs - first) }, (_, index) => ({
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

/** A worker that ends every job at once, without a process; `most` jobs in all. Resolves with latencies in ms. */
export async function runSimulatedWorker(
  api,
  workflowKey,
  { index, slots, most = Number.POSITIVE_INFINITY, onReply = () => {} },
) {
  const worker_id = (index + 1).toString(16).padStart(32, '0');
  await api.call('worker_hello', {
    protocol: 1,
    worker_id,
    workflow_key: workflowKey,
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
  });
  const latencies = [];
  let [seq, ack, done, finished] = [0, 0, 0, []];
  while (done < most) {
    seq += 1;
    const begin = performance.now();
    const reply = await api.call('exchange', {
      protocol: 1,
      worker_id,
      seq,
      epoch: 0,
      ack,
      held: [],
      started: [],
      finished,
      returned: [],
      samples: [],
      time_left_ms: null,
      draining: false,
      leaving: false,
    });
    latencies.push(performance.now() - begin);
    onReply(reply);
    if (reply.leave) break;
    done += reply.jobs.length;
    ack = reply.jobs.at(-1)?.attempt ?? ack;
    finished = reply.jobs.map(({ attempt }) => ({
      attempt,
      start_age_ms: 1,
      age_ms: 0,
      status: 'done',
      return_code: 0,
      cause: 'success',
      exit_code: 0,
      signal: null,
      detail: null,
      exec_ms: 1,
      peak_memory_bytes: null,
      average_memory_bytes: null,
      cpu_ms: null,
    }));
  }
  return latencies;
}

/** Opens the service over a fresh database in this process. */
export async function openFresh(directory) {
  const { openService } = await import('../dist/server/open.js');
  const { systemClock } = await import('../dist/base/clock.js');
  return await openService(directory, systemClock, 'torc bench');
}
