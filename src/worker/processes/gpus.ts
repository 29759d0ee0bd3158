/** The GPUs of this machine or allocation, by maker, and the variables by which a job sees only its own. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Environment } from '../../base/config.ts';

/** In the order in which they are preferred where a machine has several. */
const makers = ['nvidia', 'amd', 'intel'] as const;
export type GpuMaker = (typeof makers)[number];

/** `ids`: what the maker's variable calls the GPU of each index; numbers, or names such as `GPU-..` and `MIG-..`. */
export interface Gpus {
  maker: GpuMaker;
  ids: string[];
}

/** The entries of a list up to the first invalid one, as CUDA reads it; null for a variable that is not set. */
function listed(value: string | undefined): string[] | null {
  if (value === undefined) return null;
  const ids = value.split(',').map((id) => id.trim());
  const end = ids.findIndex((id) => id === '' || id.startsWith('-') || /^nodevfiles$/i.test(id));
  return [...new Set(end < 0 ? ids : ids.slice(0, end))];
}

/** HIP numbers what ROCr leaves visible: its list is one of positions in the other. HIP reads CUDA's variable too. */
function listedForAmd(env: Environment): string[] | null {
  const visible = listed(env.ROCR_VISIBLE_DEVICES);
  const chosen = listed(env.HIP_VISIBLE_DEVICES ?? (visible === null ? env.CUDA_VISIBLE_DEVICES : undefined));
  if (visible === null) return chosen ?? listed(env.GPU_DEVICE_ORDINAL);
  return chosen === null ? visible : chosen.flatMap((position) => visible[Number(position)] ?? []);
}

const listsOf: Readonly<Record<GpuMaker, (env: Environment) => string[] | null>> = {
  nvidia: (env) => listed(env.CUDA_VISIBLE_DEVICES),
  amd: listedForAmd,
  intel: (env) => listed(env.ZE_AFFINITY_MASK),
};

/** A variable that only this maker's programs read is set. */
const isNamed: Readonly<Record<GpuMaker, (env: Environment) => boolean>> = {
  nvidia: (env) => env.CUDA_VISIBLE_DEVICES !== undefined,
  amd: (env) => (env.ROCR_VISIBLE_DEVICES ?? env.HIP_VISIBLE_DEVICES ?? env.GPU_DEVICE_ORDINAL) !== undefined,
  intel: (env) => env.ZE_AFFINITY_MASK !== undefined,
};

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Where a device is on the bus, such as `0000:00:02.0`; empty where that cannot be seen. */
function addressOf(path: string): string {
  try {
    return basename(realpathSync(path));
  } catch {
    return '';
  }
}

/** How many devices of each maker the kernel shows. */
const countsOf: Readonly<Record<GpuMaker, (root: string) => number>> = {
  nvidia: (root) => namesIn(join(root, 'dev')).filter((name) => /^nvidia\d+$/.test(name)).length,
  amd(root) {
    if (!existsSync(join(root, 'dev/kfd'))) return 0;
    const nodes = join(root, 'sys/class/kfd/kfd/topology/nodes');
    // processors are nodes without vector units
    return namesIn(nodes).filter((name) => /^simd_count [1-9]/m.test(textOf(join(nodes, name, 'properties')))).length;
  },
  intel(root) {
    if (!existsSync(join(root, 'dev/dri'))) return 0;
    const cards = join(root, 'sys/class/drm');
    const isGpu = (name: string): boolean => {
      const device = join(cards, name, 'device');
      const isIntel = /^card\d+$/.test(name) && textOf(join(device, 'vendor')).trim() === '0x8086';
      // the graphics of the processor itself always have this address
      return isIntel && !addressOf(device).endsWith(':00:02.0');
    };
    return namesIn(cards).filter(isGpu).length;
  },
};

/**
 * The GPUs that this process may use. `ofAllocation` are those of Slurm's own variables, null outside of an allocation:
 * inside one, a device that no variable names is not its own.
 */
export function gpusHere(env: Environment, ofAllocation: readonly string[] | null, root = '/'): Gpus {
  const found = makers.filter((maker) => countsOf[maker](root) > 0);
  const candidates = found.length > 0 ? found : makers;
  const maker = candidates.find((each) => isNamed[each](env)) ?? candidates[0] ?? 'nvidia';
  const numbers = () => Array.from({ length: countsOf[maker](root) }, (_, index) => String(index));
  return { maker, ids: listsOf[maker](env) ?? [...(ofAllocation ?? numbers())] };
}

/** Those that `gpuVariables` sets. */
export const allGpuVariables = [...new Set(makers.flatMap((maker) => Object.keys(gpuVariables(maker, []))))];

/** The variables of a job that is given these GPUs; none hides all of them. */
export function gpuVariables(maker: GpuMaker, ids: readonly string[]): Record<string, string> {
  const list = ids.join(',');
  switch (maker) {
    case 'nvidia':
      return { CUDA_VISIBLE_DEVICES: list, TORC_GPUS: list };
    case 'amd': {
      // HIP and OpenCL count what ROCr leaves visible
      const positions = ids.map((_, position) => position).join(',');
      return {
        ROCR_VISIBLE_DEVICES: list,
        HIP_VISIBLE_DEVICES: positions,
        GPU_DEVICE_ORDINAL: positions,
        TORC_GPUS: list,
      };
    }
    case 'intel':
      return { ZE_AFFINITY_MASK: list, TORC_GPUS: list };
  }
}
