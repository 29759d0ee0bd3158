/** GPUs: what a machine or allocation has, of each maker, and what a job sees of it. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type GpuMaker, gpusHere } from '../../src/worker/processes/gpus.ts';
import { type LaunchContext, spawnRequest } from '../../src/worker/processes/launch.ts';
import { assignment } from '../worker/fake-server.ts';

function rootWith(files: Record<string, string>, links: Record<string, string> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'torc-root-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const make = (path: string) => mkdirSync(dirname(join(root, path)), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    make(path);
    writeFileSync(join(root, path), text);
  }
  for (const [path, target] of Object.entries(links)) {
    make(path);
    symlinkSync(join(root, target), join(root, path));
  }
  return root;
}

const nvidia = { 'dev/nvidia0': '', 'dev/nvidia1': '', 'dev/nvidiactl': '', 'dev/nvidia-uvm': '' };
const node = (number: number) => `sys/class/kfd/kfd/topology/nodes/${number}/properties`;
const amd = {
  'dev/kfd': '',
  [node(0)]: 'cpu_cores_count 64\nsimd_count 0\n',
  [node(1)]: 'cpu_cores_count 0\nsimd_count 440\n',
  [node(2)]: 'cpu_cores_count 0\nsimd_count 440\n',
};
const intel = {
  'dev/dri/card0': '',
  'sys/devices/0000:00:02.0/vendor': '0x8086\n',
  'sys/devices/0000:3a:00.0/vendor': '0x8086\n',
  'sys/devices/0000:9a:00.0/vendor': '0x8086\n',
  'sys/devices/0000:ff:00.0/vendor': '0x1a03\n',
};
const intelCards = {
  'sys/class/drm/card0/device': 'sys/devices/0000:00:02.0',
  'sys/class/drm/card1/device': 'sys/devices/0000:3a:00.0',
  'sys/class/drm/card2/device': 'sys/devices/0000:9a:00.0',
  'sys/class/drm/card3/device': 'sys/devices/0000:ff:00.0',
  'sys/class/drm/renderD128/device': 'sys/devices/0000:3a:00.0',
};

describe('the GPUs of a machine', () => {
  it('are found by their devices; the graphics of a processor are none', () => {
    expect(gpusHere({}, null, rootWith(nvidia))).toEqual({ maker: 'nvidia', ids: ['0', '1'] });
    expect(gpusHere({}, null, rootWith(amd))).toEqual({ maker: 'amd', ids: ['0', '1'] });
    expect(gpusHere({}, null, rootWith(intel, intelCards))).toEqual({ maker: 'intel', ids: ['0', '1'] });
    expect(gpusHere({}, null, rootWith({})).ids).toEqual([]);
    const kfdAlone = Object.fromEntries(Object.entries(amd).filter(([path]) => path !== 'dev/kfd'));
    expect(gpusHere({}, null, rootWith(kfdAlone)).ids).toEqual([]);
  });

  it.each<[GpuMaker, Record<string, string>, string[]]>([
    ['nvidia', { CUDA_VISIBLE_DEVICES: '1,0' }, ['1', '0']],
    ['nvidia', { CUDA_VISIBLE_DEVICES: 'MIG-4a,MIG-GPU-8/1/0,GPU-9' }, ['MIG-4a', 'MIG-GPU-8/1/0', 'GPU-9']],
    ['nvidia', { CUDA_VISIBLE_DEVICES: 'NoDevFiles' }, []],
    ['amd', { ROCR_VISIBLE_DEVICES: '2,3' }, ['2', '3']],
    ['amd', { ROCR_VISIBLE_DEVICES: '2,3', HIP_VISIBLE_DEVICES: '1' }, ['3']],
    ['amd', { HIP_VISIBLE_DEVICES: '1' }, ['1']],
    ['amd', { GPU_DEVICE_ORDINAL: '0' }, ['0']],
    ['intel', { ZE_AFFINITY_MASK: '0.0,0.1' }, ['0.0', '0.1']],
  ])('of %s are those of %j', (maker, env, ids) => {
    expect(gpusHere(env, null, rootWith({}))).toEqual({ maker, ids });
  });

  it('are of the maker whose devices are there when Slurm sets the variables of all makers', () => {
    const env = { CUDA_VISIBLE_DEVICES: '0,1', ROCR_VISIBLE_DEVICES: '0,1', ZE_AFFINITY_MASK: '0,1' };
    expect(gpusHere(env, ['0', '1'], rootWith(amd)).maker).toBe('amd');
    expect(gpusHere(env, ['0', '1'], rootWith(intel, intelCards)).maker).toBe('intel');
    expect(gpusHere(env, ['0', '1'], rootWith({})).maker).toBe('nvidia');
    expect(gpusHere({ ROCR_VISIBLE_DEVICES: '1' }, [], rootWith({ ...nvidia, ...amd }))).toEqual({
      maker: 'amd',
      ids: ['1'],
    });
  });

  it('are those of the allocation, whatever else the node has', () => {
    expect(gpusHere({}, [], rootWith(nvidia)).ids).toEqual([]);
    expect(gpusHere({}, ['1'], rootWith(amd))).toEqual({ maker: 'amd', ids: ['1'] });
  });
});

describe('the GPUs of a job', () => {
  const context = { gpuIds: ['4', 'GPU-b'], nodeNames: ['n'], rawVariables: new Map(), fileVariables: () => ({}) };
  const seen = (gpuMaker: GpuMaker, gpu_indices: number[]) => {
    const job = assignment({ attempt: 1, job_key: '1', command: 'x', gpu_indices });
    const all = {
      ...context,
      gpuMaker,
      workerId: 'w',
      workflowKey: '1',
      directory: '/t',
      pins: false,
      hasThreads: false,
      steps: { problem: '' },
      notAsStep() {},
    };
    const { variables } = spawnRequest(
      job,
      { ...all, outputDirectory: '/o', dataDirectory: '/o' } as LaunchContext,
      null,
    );
    return Object.fromEntries(Object.entries(variables).filter(([name]) => /DEVICE|MASK|GPUS/.test(name)));
  };

  it('are named in the variable of their maker and in TORC_GPUS; a job without any sees none', () => {
    expect(seen('nvidia', [1])).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-b', TORC_GPUS: 'GPU-b' });
    expect(seen('nvidia', [])).toEqual({ CUDA_VISIBLE_DEVICES: '', TORC_GPUS: '' });
    // HIP and OpenCL count only what ROCr shows
    expect(seen('amd', [1])).toMatchObject({
      ROCR_VISIBLE_DEVICES: 'GPU-b',
      HIP_VISIBLE_DEVICES: '0',
      GPU_DEVICE_ORDINAL: '0',
    });
    expect(seen('amd', [0, 1])).toMatchObject({ ROCR_VISIBLE_DEVICES: '4,GPU-b', HIP_VISIBLE_DEVICES: '0,1' });
    expect(seen('intel', [0])).toEqual({ ZE_AFFINITY_MASK: '4', TORC_GPUS: '4' });
  });
});
