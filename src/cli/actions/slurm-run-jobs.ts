/** `torc hpc slurm run-jobs`: the worker inside an allocation. It is only a client of the server and never serves. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { openClient } from '../../api/client.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { slurmEnvironment } from '../../slurm/environment.ts';
import { stepPlace } from '../../slurm/step.ts';
import { withUnreachedNote } from '../../worker/exchange/unreached-note.ts';
import { gpusHere } from '../../worker/processes/gpus.ts';
import { believedCpus, machineResources } from '../../worker/processes/resources.ts';
import { usableTopology } from '../../worker/processes/topology.ts';
import { type Context, note } from '../context/context.ts';
import { checkedKey } from '../input/workflow-key.ts';
import { runLogged } from '../workers/worker-process.ts';

export interface AllocationWorkerOptions {
  allocation: string;
  output: string;
  walltime: number;
  allNodes?: boolean;
  maxParallelJobs?: number;
  label: readonly string[];
  alsoUnlabelled?: boolean;
  resource?: Readonly<Record<string, number>>;
  pollInterval?: number;
}

export async function runInAllocation(context: Context, key: string, options: AllocationWorkerOptions): Promise<void> {
  const workflowKey = checkedKey(key);
  const slurm = slurmEnvironment(context.env, context.clock.now(), options.walltime);
  if (slurm === null) {
    throw new TorcError(
      'usage',
      'not inside a Slurm allocation: SLURM_JOB_ID is not set',
      `${context.torc} jobs run ${workflowKey}`,
    );
  }
  const machine = machineResources(context.env);
  const canSeeAll = options.allNodes === true && slurm.nodeNames.length > 0;
  if (options.allNodes === true && !canSeeAll) {
    const list = context.env.SLURM_JOB_NODELIST;
    note(context, `cannot read SLURM_JOB_NODELIST (${list}): multi-node jobs will not run here`, 'warning');
  }
  if (canSeeAll && slurm.numNodes > 1) {
    note(
      context,
      `jobs of one node run only on ${slurm.nodeNames[0]}, jobs of several nodes on all ${slurm.numNodes} nodes`,
    );
  }
  const cpus = believedCpus(slurm.numCpus ?? machine.numCpus);
  if (cpus.problem !== null) note(context, `warning: ${cpus.problem}`, 'warning');
  const gpus = gpusHere(context.env, slurm.gpuIds);
  const capacity = {
    nodeNames: canSeeAll ? slurm.nodeNames : [slurm.nodeName ?? machine.hostname],
    numCpus: cpus.numCpus,
    memoryBytes: Math.min(slurm.memoryBytes ?? Number.POSITIVE_INFINITY, machine.memoryBytes),
    numGpus: gpus.ids.length,
    gpuIds: gpus.ids,
    gpuMaker: gpus.maker,
    topology: usableTopology(cpus.numCpus, slurm.numCpus).topology,
  };
  const subject = {
    hostname: machine.hostname,
    node: slurm.nodeName ?? machine.hostname,
    pid: process.pid,
    workflow_key: workflowKey,
    slurm_job_id: slurm.slurmJobId,
    num_nodes: slurm.numNodes,
  };
  const exit = await runLogged(
    context,
    {
      directory: context.directory,
      workflowKey,
      outputDirectory: resolve(options.output),
      capacity,
      steps: stepPlace(context.env, slurm),
      maxParallelJobs: options.maxParallelJobs ?? null,
      labels: options.label,
      alsoUnlabelled: options.alsoUnlabelled ?? false,
      ...(options.resource === undefined ? {} : { resources: options.resource }),
      deadlineMs: slurm.endTimeMs,
      walltimeSeconds: slurm.walltimeSeconds,
      waitForNewJobsSeconds: null,
      identity: {
        hostname: machine.hostname,
        cluster: slurm.cluster,
        slurmJobId: slurm.slurmJobId,
        restartCount: slurm.restartCount,
        allocationKey: checkedKey(options.allocation, 'key of an allocation'),
      },
    },
    withUnreachedNote(openClient(context.directory), context.directory, subject, context.clock),
    `worker_${hostname()}_${slurm.slurmJobId}.log`,
    (text) => note(context, `warning: ${text}`, 'warning'),
  );
  note(context, `worker ended (${exit.reason}): ${counted(exit.num_jobs, 'job')} run, ${exit.num_failed} failed`);
}
