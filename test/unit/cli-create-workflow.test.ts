// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of the shell are written like that
import { describe, expect, it } from 'vitest';
import { type Api, endpoints } from '../../src/api/contract.ts';
import { beginRequest } from '../../src/api/creation.ts';
import { chunkLimits, chunksOf } from '../../src/api/creation-chunks.ts';
import {
  actionPlace,
  checkStorable,
  createWorkflow,
  noteWithoutEffect,
} from '../../src/cli/documents/send-workflow.ts';
import { type ExpandedJob, type ExpandedWorkflow, noFurtherParts } from '../../src/model/expanded.ts';
import { defaultRequirements } from '../../src/model/job.ts';
import { loadWorkflow } from '../support/specification.ts';
import { fakeContext, fakeTerminal } from './cli-fakes.ts';

function job(name: string, command = 'true'): ExpandedJob {
  return {
    name,
    command,
    invocationScript: null,
    requirements: 0,
    failureHandler: null,
    scheduler: null,
    priority: 0,
    cancelOnBlockingJobFailure: true,
    supportsTermination: false,
    inputFiles: [],
    outputFiles: [],
    inputUserData: [],
    outputUserData: [],
  };
}

function workflow(numJobs: number, numFiles: number, numEdges: number, command = 'true'): ExpandedWorkflow {
  function* jobs(): Generator<ExpandedJob> {
    for (let at = 0; at < numJobs; at += 1) yield job(`job ${at}`, command);
  }
  return {
    name: 'sweep',
    description: null,
    project: null,
    metadata: { a: [1, null] },
    expirationBufferSeconds: 180,
    waitForNewJobsSeconds: 90,
    ignoreWorkflowCompletion: false,
    waitForHealthyDatabaseMinutes: 20,
    jobsSortMethod: 'gpus_runtime_memory',
    stdio: 'files',
    maxLosses: 3,
    terminationSignal: 'SIGTERM',
    sigtermLeadSeconds: 30,
    createOutputFolders: true,
    requirements: [{ ...defaultRequirements, name: 'small' }],
    files: Array.from({ length: numFiles }, (_, at) => ({ name: `file ${at}`, path: `/data/${at}` })),
    userData: [],
    numJobs,
    jobs: jobs(),
    numBarriers: 1,
    edges: Array.from({ length: numEdges }, (_, at) => [at % numJobs, -1] as const),
    ...noFurtherParts,
  };
}

describe('chunks', () => {
  it.each([
    [0, 0, 0],
    [1, 0, 0],
    [chunkLimits.jobs, chunkLimits.files, chunkLimits.edges],
    [chunkLimits.jobs + 1, chunkLimits.files + 1, chunkLimits.edges + 1],
    [3 * chunkLimits.jobs - 1, 7, 5 * chunkLimits.edges],
  ])(
    'carry %i jobs, %i files and %i edges once, in order, each accepted by the contract',
    (numJobs, numFiles, numEdges) => {
      const whole = workflow(numJobs, numFiles, numEdges);
      const jobs: string[] = [];
      const files: string[] = [];
      let edges = 0;
      for (const chunk of chunksOf(whole, '3')) {
        endpoints.workflow_create_chunk.request.parse(chunk);
        expect(chunk.first_job).toBe(jobs.length);
        expect(chunk.first_file).toBe(files.length);
        jobs.push(...chunk.jobs.map((each) => each.name));
        files.push(...chunk.files.map((each) => each.name));
        edges += chunk.edges.length;
      }
      expect(jobs).toEqual(Array.from({ length: numJobs }, (_, at) => `job ${at}`));
      expect(files).toEqual(whole.files.map((file) => file.name));
      expect(edges).toBe(numEdges);
    },
  );

  it('stay small when commands are long, and send a job that is too long alone', () => {
    const sizes = [...chunksOf(workflow(100, 0, 0, 'x'.repeat(100_000)), '3')].map(
      (chunk) => JSON.stringify(chunk).length,
    );
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThan(chunkLimits.characters * 1.1);
    const huge = [...chunksOf(workflow(3, 0, 0, 'x'.repeat(chunkLimits.characters)), '3')];
    expect(huge.map((chunk) => chunk.jobs.length)).toEqual([1, 1, 1]);
  });
});

describe('user data', () => {
  it('go before the jobs that use them, once and in order, in small chunks', () => {
    const userData = Array.from({ length: 6 }, (_, at) => {
      return { name: `datum ${at}`, data: at === 0 ? null : 'x'.repeat(900_000), isEphemeral: at === 1 };
    });
    const jobs = [{ ...job('a'), inputUserData: [5], outputUserData: [0] }];
    const chunks = [...chunksOf({ ...workflow(1, 0, 0), userData, jobs }, '3')];
    for (const chunk of chunks) endpoints.workflow_create_chunk.request.parse(chunk);
    expect(chunks.map((chunk) => [chunk.first_user_data, chunk.user_data.length, chunk.jobs.length])).toEqual([
      [0, 3, 0],
      [3, 2, 0],
      [5, 1, 1],
    ]);
    expect(chunks.flatMap((chunk) => chunk.user_data)).toEqual(
      userData.map(({ name, data, isEphemeral }) => ({ name, data, is_ephemeral: isEphemeral })),
    );
    expect(chunks.at(-1)?.jobs).toMatchObject([{ input_user_data: [5], output_user_data: [0] }]);
  });
});

describe('creating', () => {
  it('begins with a request that the contract accepts, without losing metadata', () => {
    const begin = endpoints.workflow_create_begin.request.parse(beginRequest(workflow(2, 1, 1), actionPlace()));
    expect(begin).toMatchObject({
      num_jobs: 2,
      num_files: 1,
      num_barriers: 1,
      metadata: { a: [1, null] },
    });
  });

  it('begins, sends and finishes, and reports progress', async () => {
    const called: string[] = [];
    const api = {
      async call(endpoint: string) {
        called.push(endpoint);
        return { workflow_key: '3', num_jobs: 6000 };
      },
      async close() {},
    } as unknown as Api;
    const seen: number[] = [];
    await createWorkflow(api, workflow(6000, 0, 1), (stored) => seen.push(stored));
    expect(called).toEqual([
      'workflow_create_begin',
      'workflow_create_chunk',
      'workflow_create_chunk',
      'workflow_create_finish',
    ]);
    expect(seen).toEqual([5000, 6000]);
  });

  const scheduler = {
    ...{ name: 'gpu', account: 'a', partition: null, qos: 'normal', walltimeSeconds: 3600, numNodes: 2 },
    ...{ ntasksPerNode: null, mem: '8G', tmp: null, gres: null, extra: '--exclusive' },
  };

  it('sends schedulers, failure handlers and the interval of a time series with the first request', () => {
    const monitor = {
      enabled: true,
      granularity: 'time_series',
      sampleIntervalSeconds: 7,
      generatePlots: true,
    } as const;
    const delays = { retryDelayMs: 30_000, retryBackoff: 2, retryMaxDelayMs: 90_000 };
    const handler = {
      name: 'h',
      rules: [{ exitCodes: [75], matchAllExitCodes: false, causes: [], recoveryScript: 'x', maxRetries: 2, ...delays }],
    };
    const parts = { schedulers: [scheduler], failureHandlers: [handler], resourceMonitor: monitor };
    const begin = endpoints.workflow_create_begin.request.parse(
      beginRequest({ ...workflow(0, 0, 0), ...parts }, actionPlace()),
    );
    expect(begin).toMatchObject({
      slurm_configs: [{ name: 'gpu', walltime_seconds: 3600, num_nodes: 2, extra: '--exclusive' }],
      failure_handlers: [
        {
          name: 'h',
          rules: [
            {
              ...{ exit_codes: [75], match_all_exit_codes: false, recovery_script: 'x', max_retries: 2 },
              ...{ retry_delay_ms: 30_000, retry_backoff: 2, retry_max_delay_ms: 90_000 },
            },
          ],
        },
      ],
      sample_interval_seconds: 7,
    });
    for (const other of [{ granularity: 'summary' }, { enabled: false }] as const) {
      const resourceMonitor = { ...monitor, ...other };
      expect(beginRequest({ ...workflow(0, 0, 0), resourceMonitor }, actionPlace()).sample_interval_seconds).toBeNull();
    }
  });

  it('is rejected for what cannot run yet, and for options that a script cannot contain', async () => {
    await expect(checkStorable({ ...workflow(1, 0, 0), schedulers: [scheduler] })).resolves.toBeUndefined();
    await expect(checkStorable({ ...workflow(1, 0, 0), usePendingFailed: true })).resolves.toBeUndefined();
    const odd = { ...workflow(1, 0, 0), schedulers: [{ ...scheduler, extra: '--output=x' }] };
    await expect(checkStorable(odd)).rejects.toThrow('is not allowed in the extra options');
  });
});

describe('possible mistakes', () => {
  it('are noted: workflow parameters in braces that a job does not use, but no other braces', () => {
    const jobs = [
      { name: 'train_{lr}', command: './train {lr:.2f} {seed} ${seed}' },
      { name: 'uses_{lr}', command: "awk '{print}' ${seed}", use_parameters: ['lr'] },
      { name: 'own_{seed}', command: './x {lr}', parameters: { seed: '1:2' } },
      { name: 'waits', command: 'echo "${lr}" {other}', depends_on: ['uses_{lr}'] },
      ...[1, 2, 3, 4].map((n) => ({ name: `in steps ${n}`, steps: [{ command: './x {seed}' }] })),
    ];
    const spec = { name: 'w', parameters: { lr: [0.1, 0.01], seed: '1:3' }, jobs };
    const terminal = fakeTerminal();
    noteWithoutEffect(fakeContext(terminal), loadWorkflow(JSON.stringify(spec), { file: 'w.json' }).workflow);
    expect(terminal.stderr).toEqual(
      [
        'job "train_{lr}" contains {lr}, {seed}, parameters of the workflow that it does not use; add use_parameters: [lr, seed]',
        'job "own_{seed}" contains {lr}, a parameter of the workflow that it does not use; add use_parameters: [lr]',
        ...[1, 2, 3].map((n) => {
          return `job "in steps ${n}" contains {seed}, a parameter of the workflow that it does not use; add use_parameters: [seed]`;
        }),
        'and 1 more such job',
      ].map((line) => `${line}\n`),
    );
  });
});
