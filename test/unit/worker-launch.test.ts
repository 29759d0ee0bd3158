/** What the process of a job gets. */
import { describe, expect, it } from 'vitest';
import { jobEnvironment } from '../../src/worker/processes/job-environment.ts';
import { type LaunchContext, spawnRequest } from '../../src/worker/processes/launch.ts';
import { assignment } from '../worker/fake-server.ts';

const context: LaunchContext = {
  workerId: 'w',
  workflowKey: '1',
  directory: '/t',
  outputDirectory: '/o',
  dataDirectory: '/o',
  pins: false,
  hasThreads: false,
  gpuIds: [],
  gpuMaker: 'nvidia',
  nodeNames: ['here'],
  rawVariables: new Map(),
  fileVariables: () => ({}),
  steps: { problem: 'no' },
  notAsStep() {},
};

describe('the text of a job with an invocation script', () => {
  it.each([
    ['srun -n 1', 'srun -n 1 cmd'],
    ['srun \\\n  -n 1', 'srun \\\n  -n 1 cmd'],
    ['#!/bin/bash\nset -e', '#!/bin/bash\nset -e\ncmd'],
    ['#!/bin/bash\nset -e\n', '#!/bin/bash\nset -e\ncmd'],
    ['source env.sh\n', 'source env.sh\ncmd'],
    ['#!/bin/bash', '#!/bin/bash\ncmd'],
    ['module load x # what it needs', 'module load x # what it needs\ncmd'],
    ['tool --colour=#fff', 'tool --colour=#fff cmd'],
  ])('%j', (invocation_script, text) => {
    const job = assignment({ attempt: 1, job_key: '1', command: 'cmd', invocation_script });
    expect(spawnRequest(job, context, null).text).toBe(text);
  });
});

describe('the environment of jobs', () => {
  it('has the variables that the specification states, below those of torc', () => {
    const env = { MODE: 'test', TORC_JOB_NAME: 'mine', CUDA_VISIBLE_DEVICES: '7' };
    const job = assignment({ attempt: 1, job_key: '1', command: 'x', job_name: 'a', env, gpu_indices: [1] });
    const { variables } = spawnRequest(job, { ...context, gpuIds: ['GPU-a', 'GPU-b'] }, null);
    expect(variables).toMatchObject({ MODE: 'test', TORC_JOB_NAME: 'a', CUDA_VISIBLE_DEVICES: 'GPU-b' });
  });

  const allocation = { PATH: '/bin', SLURM_JOB_ID: '5', SLURM_NODEID: '1', SLURMD_NODENAME: 'n1' };
  const step = { SLURM_STEP_ID: '0', SLURM_STEPID: '0', SLURM_STEP_NODELIST: 'n[0-1]', SLURM_PROCID: '1' };
  const parallel = { PMI_RANK: '1', PMI2_FD: '9', PMIX_NAMESPACE: 'slurm.5.0', SLURM_PMIX_MAPPING_SERV: '(vector)' };

  it('has nothing of the step that runs the worker', () => {
    expect(jobEnvironment({ ...allocation, ...step, ...parallel })).toEqual(allocation);
  });

  it('is otherwise that of the worker', () => {
    const batch = { ...allocation, SLURM_PROCID: '0', PMIX_MCA_psec: 'native' };
    expect(jobEnvironment({ ...batch, TORC_OPEN_FILES: '1024' })).toEqual(batch);
  });
});

describe('the CPUs of a job', () => {
  const job = (more: object) => assignment({ attempt: 1, job_key: '1', command: 'x', num_cpus: 3, ...more });
  const given = (more: object, its: Partial<LaunchContext> = {}) => {
    const { variables, isBound, ...request } = spawnRequest(job(more), { ...context, ...its }, null);
    const cpus = isBound ? request.cpus : null;
    return { list: variables.TORC_CPUS, threads: variables.OMP_NUM_THREADS, cpus };
  };

  it('are in its environment, and bind it where somebody asks for that', () => {
    const own = { cpus: [0, 1, 4] };
    expect(given(own)).toEqual({ list: '0-1,4', threads: '3', cpus: null });
    expect(given({ ...own, pin: true }).cpus).toBe('0-1,4');
    expect(given(own, { pins: true }).cpus).toBe('0-1,4');
    expect(given({ ...own, pin: false }, { pins: true }).cpus).toBeNull();
    expect(given({ pin: true })).toEqual({ list: undefined, threads: '3', cpus: null });
  });

  it('decide the number of threads, unless the job or the environment does', () => {
    expect(given({}).threads).toBe('3');
    expect(given({ env: { OMP_NUM_THREADS: '8' } }).threads).toBe('8');
    expect(given({}, { hasThreads: true }).threads).toBeUndefined();
    expect(given({ node_indices: [0, 1] }).threads).toBeUndefined();
  });
});
