import { describe, expect, it } from 'vitest';
import { reasonHelp } from '../../src/cli/output/reason-help.ts';
import { type PresentWorker, reasonsOf, type Situation, type WaitingJob } from '../../src/model/decide/demand.ts';
import { idleWorker } from '../../src/model/decide/packing.ts';
import { anyConfig, type Pool } from '../../src/model/decide/pools.ts';
import { type Reason, reason as reasonSchema } from '../../src/model/decide/reason.ts';
import { reasonText } from '../../src/model/decide/reason-text.ts';
import { defaultRequirements, type Requirements } from '../../src/model/job.ts';
import { noLabels } from '../../src/model/labels.ts';

const gigabyte = 1024 ** 3;
const hour = 3_600_000;

const situation: Situation = {
  hasStarted: true,
  runId: 1,
  isCanceled: false,
  isPaused: false,
  hasTimedOut: false,
  isStopping: false,
  isServed: true,
  leadMs: 30_000,
  fullLimits: [],
  workers: [],
  pastWorkers: [],
  configs: [],
  queued: [],
};

const offer = { numNodes: 1, numCpus: 4, memoryBytes: 8 * gigabyte, numGpus: 0, maxParallelJobs: null };

const pool = (given: Partial<Pool> = {}): Pool => ({ config: null, labels: 'local', takesUnlabelled: true, ...given });

interface GivenWorker extends PresentWorker {
  config: number;
  timeLeftMs: number;
}

function worker({ config, timeLeftMs, ...given }: Partial<GivenWorker & typeof offer> = {}): PresentWorker {
  const idle = idleWorker({ ...offer, ...given }, timeLeftMs ?? null);
  const own = pool({ config: config ?? null });
  return { hostname: 'n1', count: 1, pool: own, isSilent: false, walltimeMs: null, idle, free: idle, ...given };
}

const configOf = (
  key: number,
  name: string,
  walltimeMs: number,
  given: Partial<Pool> = {},
): Situation['configs'][number] => {
  return { key, name, walltimeMs, pool: pool({ config: key, labels: `${name},slurm`, ...given }) };
};

type Given = Partial<Omit<WaitingJob, 'need'>> & { need?: Partial<Requirements> };

function waiting({ need = {}, ...given }: Given = {}): WaitingJob {
  return {
    status: 'ready',
    limits: '',
    slurmConfigKey: anyConfig,
    labels: noLabels,
    supportsTermination: false,
    upstreams: null,
    holds: [],
    ...given,
    need: { ...defaultRequirements, ...need },
  };
}

const texts = (job: WaitingJob, where: Partial<Situation>): string[] => {
  const reasons = reasonsOf(job, { ...situation, ...where });
  // replies match the schema
  for (const one of reasons) expect(reasonSchema().parse(JSON.parse(JSON.stringify(one)))).toEqual(one);
  return reasons.map((reason) => reasonText(reason));
};
const long = { runtimeMs: 5 * hour, isRuntimeStated: true };

describe('the reasons of a ready job', () => {
  it('are that nothing could take it', () => {
    expect(texts(waiting(), {})).toEqual(['There is no worker to run it.']);
    expect(texts(waiting(), { workers: [worker({ isSilent: true })] })).toEqual(['Its only worker is not responding.']);
    const silent = worker({ isSilent: true });
    expect(texts(waiting(), { workers: [silent, silent] })).toEqual(['None of its 2 workers is responding.']);
    expect(texts(waiting(), { workers: [silent, worker()], isServed: false })).toEqual([
      'No server is running, so its 2 workers cannot get jobs.',
    ]);
    const configs = [configOf(7, 'big "x"', hour)];
    expect(texts(waiting({ slurmConfigKey: 7 }), { workers: [worker({ config: 8 })], configs })).toEqual([
      'Only workers of Slurm config "big \\"x\\"" may take it, and there are none.',
    ]);
    // a worker outside of any allocation takes all jobs
    expect(texts(waiting({ slurmConfigKey: 7 }), { workers: [worker()], configs })).toEqual(['It waits for its turn.']);
  });

  it('are labels that no worker has', () => {
    const labelled = (config: number, labels: string): PresentWorker =>
      worker({ pool: pool({ config, labels, takesUnlabelled: false }) });
    const fast = waiting({ labels: 'fast,gpu' });
    expect(texts(fast, {})).toEqual(['It needs a worker with the labels "fast", "gpu", and there is no worker.']);
    expect(texts(fast, { workers: [worker()] })).toEqual(['No worker has any of the labels "fast", "gpu".']);
    expect(texts(waiting({ labels: 'gpu' }), { workers: [worker()] })).toEqual(['No worker has the label "gpu".']);
    const near = [worker(), { ...labelled(1, 'fast,slurm'), hostname: 'n2' }];
    expect(texts(fast, { workers: near })).toEqual([
      'No worker has all of the labels "fast", "gpu"; the worker on n2 lacks "gpu".',
    ]);
    expect(texts(fast, { workers: [...near, labelled(2, 'fast,gpu,slurm')] })).toEqual(['It waits for its turn.']);
    // what every worker has by itself is no reason to refuse other jobs
    expect(texts(waiting({ labels: 'local' }), { workers: [worker()] })).toEqual(['It waits for its turn.']);
    expect(texts(waiting(), { workers: [labelled(1, 'fast')] })).toEqual([
      'It has no labels, and its only worker takes only jobs with labels.',
    ]);
    expect(texts(waiting(), { workers: [labelled(1, 'fast'), labelled(1, 'gpu')] })).toEqual([
      'It has no labels, and all 2 workers take only jobs with labels.',
    ]);
    // it says where it belongs by naming the config
    expect(texts(waiting({ slurmConfigKey: 1 }), { workers: [labelled(1, 'fast')] })).toEqual([
      'It waits for its turn.',
    ]);
  });

  it('are all that hold back its workflow, besides those of its workers', () => {
    expect(texts(waiting(), { isPaused: true, isStopping: true })).toEqual([
      'Its workflow is paused.',
      'A restart is stopping the running jobs first.',
      'There is no worker to run it.',
    ]);
    expect(texts(waiting(), { hasStarted: false, workers: [worker()] })).toEqual([
      'Its workflow has not started.',
      'It waits for its turn.',
    ]);
    expect(texts(waiting(), { isCanceled: true })[0]).toBe('Its workflow was canceled.');
  });

  it('name the dimensions in which it is larger than every worker', () => {
    const workers = [worker(), worker({ numCpus: 2, numGpus: 1 })];
    expect(texts(waiting({ need: { numCpus: 64 } }), { workers })).toEqual([
      'It needs 64 CPUs; no worker has more than 4 CPUs.',
    ]);
    expect(texts(waiting({ need: { memoryBytes: 16 * gigabyte, numNodes: 2 } }), { workers })).toEqual([
      'It needs 16G of memory and 2 nodes; no worker has more than 8G of memory and 1 node.',
    ]);
    expect(texts(waiting({ need: { gpuThousandths: 2000, numCpus: 5 } }), { workers: [worker()] })).toEqual([
      'It needs 5 CPUs and 2 GPUs; no worker has more than 4 CPUs, and no worker has a GPU.',
    ]);
    expect(texts(waiting({ need: { gpuThousandths: 500 } }), { workers: [worker()] })).toEqual([
      'It needs 0.5 GPUs; no worker has a GPU.',
    ]);
    // each worker has only one of the two
    expect(texts(waiting({ need: { gpuThousandths: 1000, numCpus: 4 } }), { workers })).toEqual([
      'It needs 4 CPUs, 1M of memory and 1 GPU together; no worker has all of that.',
    ]);
  });

  it('do not include the stated runtime of a job that supports termination, but some time for progress', () => {
    const job = waiting({ need: long, supportsTermination: true });
    const configs = [configOf(1, 'short', 60_000)];
    const ends = (timeLeftMs: number, walltimeMs = hour) => worker({ config: 1, timeLeftMs, walltimeMs });
    expect(texts(job, { workers: [ends(90_000)], configs })).toEqual(['It waits for its turn.']);
    expect(texts(job, { workers: [ends(89_000)], configs })).toEqual([
      'It needs 1m 30s, but its workers have at most 1m 29s left.',
    ]);
    expect(texts(job, { workers: [ends(36_000, 60_000)], configs })).toEqual(['It waits for its turn.']);
    expect(texts(job, { workers: [ends(35_000, 60_000), ends(80_000)], configs })).toEqual([
      'It needs 1m 30s, but its workers have at most 1m 20s left.',
    ]);
    expect(texts(job, { configs })).toEqual(['There is no worker to run it.']);
    expect(texts({ ...job, need: { ...job.need, runtimeMs: 10_000 } }, { workers: [ends(20_000)], configs })).toEqual([
      'It waits for its turn.',
    ]);
  });

  it('mention workers that are gone while there is none', () => {
    const pastWorkers = [
      { ...offer, pool: pool() },
      { ...offer, numCpus: 128, pool: pool({ config: 3 }) },
    ];
    expect(texts(waiting({ need: { numCpus: 5 }, slurmConfigKey: 2 }), { pastWorkers })).toEqual([
      'Only workers of Slurm config 2 may take it, and there are none.',
      'It needs 5 CPUs; no worker so far had more than 4 CPUs.',
    ]);
    expect(texts(waiting({ need: { numCpus: 5 } }), { pastWorkers })).toEqual(['There is no worker to run it.']);
    expect(texts(waiting({ need: { numCpus: 5 } }), { pastWorkers, workers: [worker()] })).toEqual([
      'It needs 5 CPUs; no worker has more than 4 CPUs.',
    ]);
  });

  it('compare the runtime with the time left and with the walltimes', () => {
    const configs = [configOf(1, 'short', hour / 3), configOf(2, 'longer', hour)];
    const ends = worker({ config: 1, timeLeftMs: 600_000 });
    expect(texts(waiting({ need: long }), { workers: [ends], configs })).toEqual([
      'It may run for 5h 00m, but the longest allocation, of Slurm config "longer", lasts 1h 00m.',
      'It needs 5h 00m, but its workers have at most 10m 00s left.',
    ]);
    expect(texts(waiting({ need: { ...long, runtimeMs: hour / 2 } }), { workers: [ends], configs })).toEqual([
      'It needs 30m 00s, but its workers have at most 10m 00s left.',
    ]);
    // a worker without an end can run it, whatever the walltimes of the configs
    expect(texts(waiting({ need: long }), { workers: [ends, worker()], configs })).toEqual(['It waits for its turn.']);
    // no runtime was stated
    expect(texts(waiting({ need: { runtimeMs: 5 * hour } }), { workers: [ends], configs })).toEqual([
      'It waits for its turn.',
    ]);
    expect(texts(waiting({ need: { ...long, runtimeMs: hour / 2 }, slurmConfigKey: 1 }), { configs })).toEqual([
      'Only workers of Slurm config "short" may take it, and there are none.',
      'It may run for 30m 00s, but the longest allocation, of Slurm config "short", lasts 20m 00s.',
    ]);
  });

  it('are room and turn when a worker could take it', () => {
    const full = worker({ free: idleWorker({ ...offer, numCpus: 1 }, null) });
    expect(texts(waiting({ need: { numCpus: 2, memoryBytes: gigabyte } }), { workers: [full] })).toEqual([
      'It waits until a worker has room for 2 CPUs and 1G of memory.',
    ]);
    const wide = worker({ numNodes: 3, free: idleWorker({ ...offer, numNodes: 1 }, null) });
    expect(texts(waiting({ need: { numNodes: 2, gpuThousandths: 0 } }), { workers: [wide] })).toEqual([
      'It waits until a worker has room for 1 CPU and 1M of memory on each of 2 nodes.',
    ]);
    expect(texts(waiting({ need: { numCpus: 2 } }), { workers: [full, worker()] })).toEqual(['It waits for its turn.']);
    // room on a silent worker does not count
    expect(texts(waiting({ need: { numCpus: 2 } }), { workers: [full, worker({ isSilent: true })] })).toEqual([
      'It waits until a worker has room for 2 CPUs and 1M of memory.',
    ]);
  });
});

describe('the reasons of a job that is not ready', () => {
  it('are its upstreams and holds, and what would keep it from running after them', () => {
    const upstreams = { total: 4, first: [{ job_key: '3', name: 'a\n', status: 'ready' }] };
    const holds = [
      { kind: 'person', until: null },
      { kind: 'retry', until: 0 },
    ];
    expect(
      texts(waiting({ status: 'blocked', upstreams, holds, need: { numCpus: 5 } }), { workers: [worker()] }),
    ).toEqual([
      'It waits for 4 upstream jobs: "a\\n" (ready) and 3 more.',
      'It is held until somebody releases it.',
      'It failed and waits until 1970-01-01T00:00:00.000Z for its next attempt.',
      'It needs 5 CPUs; no worker has more than 4 CPUs.',
    ]);
    // a missing worker is no reason yet
    expect(texts(waiting({ status: 'blocked', upstreams: { total: null, first: [] } }), {})).toEqual([
      'It waits for upstream jobs.',
    ]);
  });

  it('are the missing start or restart', () => {
    const configs = [configOf(1, 'short', hour)];
    expect(texts(waiting({ status: 'uninitialized', need: long }), { hasStarted: false, runId: 0, configs })).toEqual([
      'Its workflow has not started.',
      'It may run for 5h 00m, but the longest allocation, of Slurm config "short", lasts 1h 00m.',
    ]);
    expect(texts(waiting({ status: 'uninitialized' }), {})).toEqual([
      'It was reset and waits for a restart of its workflow.',
    ]);
  });
});

describe('the command that helps', () => {
  const help = (job: WaitingJob, where: Partial<Situation>): string[] =>
    reasonHelp({ torc: 'torc' }, { workflow_key: '7', job_key: '3' }, reasonsOf(job, { ...situation, ...where }));

  it('is one that ends the wait', () => {
    const configs = [configOf(2, 'short', hour)];
    expect(help(waiting(), {})).toEqual(['torc jobs run 7', 'torc -k 7 hpc slurm schedule-nodes -n 1']);
    const labelled = [...configs, configOf(3, 'gpus', hour, { labels: 'gpu,gpus,slurm', takesUnlabelled: false })];
    expect(help(waiting({ labels: 'gpu' }), { configs: labelled })).toEqual([
      'torc -k 7 hpc slurm schedule-nodes -s 3 -n 1',
    ]);
    expect(help(waiting({ labels: 'gpu,local,x@y' }), { configs: labelled })).toEqual([
      'torc jobs run 7 --label gpu --label x@y',
    ]);
    expect(help(waiting({ labels: 'slurm,x' }), { configs: labelled })).toEqual([]);
    const exclusive = worker({ pool: pool({ labels: 'gpu,local', takesUnlabelled: false }) });
    expect(help(waiting(), { workers: [exclusive] })).toEqual(['torc jobs run 7']);
    expect(help(waiting({ slurmConfigKey: 2 }), { configs })).toEqual(['torc -k 7 hpc slurm schedule-nodes -s 2 -n 1']);
    expect(help(waiting(), { isServed: false, workers: [worker()] })).toEqual(['torc server start --daemon']);
    expect(help(waiting({ status: 'uninitialized' }), { runId: 0 })).toEqual(['torc workflows start 7']);
    expect(help(waiting({ status: 'uninitialized' }), {})).toEqual(['torc workflows restart 7']);
    expect(help(waiting({ need: { numCpus: 5, gpuThousandths: 1000 } }), { workers: [worker()] })).toEqual([
      'torc jobs modify 3 --num-cpus 4 --num-gpus 0',
    ]);
    expect(help(waiting(), { workers: [worker()] })).toEqual([]);
    const upstreams = { total: 1, first: [{ job_key: '9', name: 'a', status: 'ready' }] };
    expect(help(waiting({ status: 'blocked', upstreams }), {})).toEqual(['torc why 9']);
  });

  it('never suggests an allocation that cannot run the job', () => {
    const configs = [configOf(2, 'short', hour)];
    expect(help(waiting({ need: long, slurmConfigKey: 2 }), { configs })).toEqual([
      'torc hpc slurm modify-config 2 -w 05:34:00',
    ]);
  });
});

describe('the sentences', () => {
  it('also exist for jobs that do not wait', () => {
    const all: [Reason, string][] = [
      [{ code: 'claimed', hostname: 'n1' }, 'The worker on n1 has taken it and has not started it yet.'],
      [{ code: 'lost', explanation: null }, 'Its worker is gone and left no result; nothing more is known yet.'],
      [{ code: 'failed', return_code: 3, cause: 'exit_code' }, 'It failed with return code 3 (exit_code).'],
      [
        { code: 'upstream_failed', job_key: '4', name: null, end: 'canceled' },
        'It never ran because its upstream job 4 was canceled.',
      ],
      [
        { code: 'terminated', cause: null },
        'torc stopped it before it ended (no known cause); a restart runs it again.',
      ],
      [
        { code: 'worker_silent', hostname: 'n1', last_heartbeat: 'T' },
        'It may or may not be running: its worker on n1 was last heard from at T.',
      ],
    ];
    for (const [one, sentence] of all) expect(reasonText(one)).toBe(sentence);
  });
});
