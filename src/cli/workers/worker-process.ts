/** The worker in this process, the child of a local run. It loads neither the database nor the contract's schemas. */
import { join } from 'node:path';
import { openClient } from '../../api/client.ts';
import type { Api, HelloReply } from '../../api/contract.ts';
import { systemClock } from '../../base/clock.ts';
import { openLog } from '../../base/log.ts';
import { counted } from '../../base/text.ts';
import { below, openOwnLog } from '../../base/trusted/shared.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { slurmEnvironment } from '../../slurm/environment.ts';
import { stepPlace } from '../../slurm/step.ts';
import { withSpaceNote } from '../../worker/exchange/space-note.ts';
import { withUnreachedNote } from '../../worker/exchange/unreached-note.ts';
import type { WorkerExit, WorkerOptions } from '../../worker/options.ts';
import { believedCpus, chosenGpus, machineResources } from '../../worker/processes/resources.ts';
import { usableTopology } from '../../worker/processes/topology.ts';
import { processSignals } from '../../worker/signals.ts';
import { runWorker } from '../../worker/worker.ts';
import { type Context, note } from '../context/context.ts';
import { chosenOutput, makeOutputDirectory } from '../input/output-directory.ts';
import { type WorkerCommandOptions, type WorkerResult, workerLogName } from './local-worker.ts';

/** Scripts that also run outside Slurm may put another text into SLURM_JOB_ID. */
const idOfJob = /^\d[\d_+]{0,99}$/;

/** Runs a worker on this machine for the server of the directory until it ends. */
export async function runWorkerHere(
  context: Context,
  workflowKey: string,
  options: WorkerCommandOptions,
): Promise<WorkerResult> {
  const machine = machineResources(context.env);
  // inside an allocation, only its share of the machine may be used
  const slurm = slurmEnvironment(context.env, systemClock.now());
  const output = chosenOutput(context, options.output);
  // the command that started it shows it
  const warn = (text: string): void => note(context, text, 'warning');
  const gpus = chosenGpus(options.gpus ?? null, machine);
  const cpus = believedCpus(slurm?.numCpus ?? machine.numCpus);
  const numCpus = options.cpus ?? cpus.numCpus;
  const { topology, problem: unknownCpus } = usableTopology(numCpus, slurm === null ? null : slurm.numCpus);
  if (options.pin === true && unknownCpus !== null) warn(`--pin: no job is bound to CPUs: ${unknownCpus}`);
  const unused = slurm === null ? null : unusedNodes(context, slurm.numNodes, workflowKey);
  const problems = [
    options.cpus === undefined ? cpus.problem : null,
    gpus.problem,
    tooManyJobs(options, numCpus),
    unused,
  ];
  for (const problem of problems) if (problem !== null) warn(problem);
  const seconds = options.timeLimit === undefined ? null : parseDuration(options.timeLimit);
  const never = Number.POSITIVE_INFINITY;
  const deadlineMs = Math.min(systemClock.now() + (seconds ?? never) * 1000, slurm?.endTimeMs ?? never);
  const worker: WorkerOptions = {
    directory: context.directory,
    workflowKey,
    outputDirectory: output,
    capacity: {
      nodeNames: [slurm?.nodeName ?? machine.hostname],
      numCpus,
      memoryBytes:
        options.memory === undefined
          ? Math.min(slurm?.memoryBytes ?? machine.memoryBytes, machine.memoryBytes)
          : parseMemory(options.memory),
      numGpus: gpus.gpuIds.length,
      gpuIds: gpus.gpuIds,
      gpuMaker: machine.gpuMaker,
      topology,
    },
    pin: options.pin ?? false,
    steps: stepPlace(context.env, slurm),
    maxParallelJobs: options.maxParallelJobs ?? null,
    labels: options.label ?? [],
    alsoUnlabelled: options.alsoUnlabelled ?? false,
    ...(options.resource === undefined ? {} : { resources: options.resource }),
    deadlineMs: Number.isFinite(deadlineMs) ? deadlineMs : null,
    walltimeSeconds: seconds,
    waitForNewJobsSeconds: options.waitForNewJobs ?? null,
    identity: {
      hostname: machine.hostname,
      cluster: null,
      // the Slurm job says nothing about this worker: it may go on without it, or have several
      slurmJobId: null,
      ...(slurm === null || !idOfJob.test(slurm.slurmJobId) ? {} : { enclosingSlurmJobId: slurm.slurmJobId }),
      restartCount: 0,
      allocationKey: null,
    },
  };
  const subject = {
    hostname: machine.hostname,
    node: slurm?.nodeName ?? machine.hostname,
    pid: process.pid,
    workflow_key: workflowKey,
    slurm_job_id: slurm?.slurmJobId ?? null,
    num_nodes: slurm?.numNodes ?? 1,
  };
  const client = withUnreachedNote(openClient(context.directory), context.directory, subject, systemClock);
  const api = withSpaceNote(withWaitMinutes(client, options.wait), warn);
  return runLogged(context, worker, api, workerLogName(process.pid), warn);
}

/** A warning that the allocation has more nodes than this worker uses; null where srun started one on each. */
function unusedNodes({ env, torc }: Context, numNodes: number, workflowKey: string): string | null {
  if (numNodes <= 1 || Number(env.SLURM_STEP_NUM_NODES ?? 1) > 1) return null;
  const srun = `srun --nodes=${numNodes} --ntasks-per-node=1 --mem=0 --cpu-bind=none --overlap`;
  const more = `to use all of them, start a worker on each: ${srun} ${torc} jobs run ${workflowKey}`;
  return `the allocation has ${numNodes} nodes, and jobs run only on this one; ${more}`;
}

/** A warning that more jobs at a time were requested than there are CPUs: each takes at least one. Otherwise null. */
function tooManyJobs({ maxParallelJobs: asked }: WorkerCommandOptions, numCpus: number): string | null {
  if (asked === undefined || asked <= numCpus) return null;
  return `-m ${asked}: a job takes at least 1 CPU, so ${counted(numCpus, 'job')} at most run at a time; --cpus ${asked} allows more`;
}

/** Runs a worker with its log in the output directory; closes the client. `warn` reaches the person who started it. */
export async function runLogged(
  context: Context,
  worker: WorkerOptions,
  api: Api,
  logName: string,
  warn: (text: string) => void,
): Promise<WorkerResult> {
  makeOutputDirectory(worker.outputDirectory, worker.directory);
  // the worker handles signals itself
  const removeHandler = context.interrupts.handle(() => {});
  const { outputDirectory: output } = worker;
  const logFile = below(output, join(output, logName), false, openOwnLog);
  const log = openLog(logFile, context.consoleLevel === 'debug' ? 'debug' : 'info');
  try {
    const exit: WorkerExit = await runWorker(worker, {
      api,
      clock: systemClock,
      log,
      signals: processSignals(),
      warn,
    });
    return { reason: exit.reason, num_jobs: exit.numJobs, num_failed: exit.numFailed };
  } finally {
    removeHandler();
    await api.close();
  }
}

/** The client with `--wait` instead of the workflow's setting of how long to wait for an unreachable server. */
export function withWaitMinutes(api: Api, minutes: number | undefined): Api {
  if (minutes === undefined) return api;
  return {
    async call(endpoint, request, options) {
      const reply = await api.call(endpoint, request, options);
      if (endpoint === 'worker_hello') (reply as HelloReply).settings.wait_for_healthy_database_minutes = minutes;
      return reply;
    },
    close: () => api.close(),
  };
}
