/** The CPUs that this process may use, with their NUMA domains and cores, as the kernel describes them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { numbersIn } from '../../base/number-list.ts';

function textOf(root: string, path: string): string | null {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return null;
  }
}

/** What sched_getaffinity says: also narrowed by the cpuset of a cgroup. Null where the kernel does not say. */
export function allowedCpus(root = '/'): number[] | null {
  const status = textOf(root, 'proc/self/status') ?? '';
  const listed = numbersIn(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? '-');
  if (listed === null) return null;
  // without a cpuset the list has every CPU that could ever be there, such as the second threads of cores without them
  const online = new Set(numbersIn(textOf(root, 'sys/devices/system/cpu/online') ?? '-'));
  const running = listed.filter((cpu) => online.has(cpu));
  // a container may count the CPUs of this file from 0, whatever their numbers are
  return running.length > 0 ? running : listed;
}

/** NUMA domains, of cores, of CPUs. What the kernel does not describe counts as one domain, each CPU as a core. */
export function topologyOf(cpus: readonly number[], root = '/'): number[][][] {
  const domainOf = domainsByCpu(root);
  const domains = new Map<number, Map<string, number[]>>();
  for (const cpu of cpus) {
    const siblings = textOf(root, `sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`)?.trim();
    const core = siblings === undefined || numbersIn(siblings)?.includes(cpu) !== true ? `${cpu}` : siblings;
    const number = domainOf.get(cpu) ?? -1;
    const cores = domains.get(number) ?? new Map<string, number[]>();
    cores.set(core, [...(cores.get(core) ?? []), cpu]);
    domains.set(number, cores);
  }
  const inOrder = [...domains].sort(([a], [b]) => a - b);
  return inOrder.map(([, cores]) => [...cores.values()]);
}

function domainsByCpu(root: string): Map<number, number> {
  const folder = 'sys/devices/system/node';
  const found = new Map<number, number>();
  let names: string[] = [];
  try {
    names = readdirSync(join(root, folder));
  } catch {
    // a kernel without NUMA has no such folder
  }
  for (const name of names) {
    const number = /^node(\d+)$/.exec(name)?.[1];
    if (number === undefined) continue;
    for (const cpu of numbersIn(textOf(root, `${folder}/${name}/cpulist`) ?? '') ?? []) found.set(cpu, Number(number));
  }
  return found;
}

/**
 * The CPUs out of which jobs are given their own ones. Null, with the problem, when these are not known: `stated` is what
 * the allocation has by Slurm's word (null outside of one), `numCpus` what the worker uses.
 */
export function usableTopology(
  numCpus: number,
  stated: number | null,
  root = '/',
): { topology: number[][][] | null; problem: string | null } {
  const allowed = allowedCpus(root);
  if (allowed === null) return { topology: null, problem: 'the kernel does not say which CPUs this process may use' };
  if (allowed.length < numCpus) {
    const problem = `the worker gives out ${numCpus} CPUs, and this process may use ${allowed.length}`;
    return { topology: null, problem };
  }
  if (stated !== null && allowed.length > stated) {
    const problem = `the allocation has ${stated} of the ${allowed.length} CPUs that this process may use, and Slurm has not bound it to them`;
    return { topology: null, problem };
  }
  return { topology: topologyOf(allowed, root), problem: null };
}
