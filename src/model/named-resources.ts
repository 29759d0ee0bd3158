/**
 * Named resources of nodes, such as `fpga` or `scratch_gb`. A set of them is one text, sorted by name, so that equal sets
 * are equal texts.
 */

/** `fpga=1,scratch_gb=200`; empty for none. */
export type ResourceSet = string;

export const noResources: ResourceSet = '';

/** How many of each, by name. */
export type Amounts = Readonly<Record<string, number>>;

/** The most names of one job, worker or Slurm config, and the most of one. */
const mostResources = 32;
export const mostOfResource = 1_000_000_000;

/** Variables are named after them. */
export const resourceName = /^[a-z][a-z0-9_]{0,62}$/;

const own = new Set(['cpus', 'num_cpus', 'memory', 'gpus', 'gpu', 'num_gpus', 'nodes', 'num_nodes', 'runtime']);

/** What is wrong with these amounts, or null. */
export function problemOfResources(amounts: Readonly<Record<string, unknown>>): string | null {
  const names = Object.keys(amounts);
  if (names.length > mostResources) return `${names.length} named resources are more than ${mostResources}`;
  for (const name of names) {
    const amount = amounts[name];
    if (own.has(name)) return `"${name}" is not a named resource: it has a key or option of its own`;
    if (!resourceName.test(name)) {
      return `"${name}" cannot name a resource: a name is a lowercase letter, then lowercase letters, digits or "_", at most 63 in all`;
    }
    const isCount = typeof amount === 'number' && Number.isInteger(amount) && amount >= 0 && amount <= mostOfResource;
    if (!isCount) return `the amount of "${name}" must be a whole number, at most ${mostOfResource}`;
  }
  return null;
}

/** Those of which there is one at least. */
export function resourceSet(amounts: Amounts): ResourceSet {
  const present = Object.entries(amounts).filter(([, amount]) => amount > 0);
  return present
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, amount]) => `${name}=${amount}`)
    .join(',');
}

/** The part of requirements that says so; nothing for none. */
export function neededResources(amounts: Amounts = {}): { resources?: ResourceSet } {
  const resources = resourceSet(amounts);
  return resources === noResources ? {} : { resources };
}

export function amountsIn(set: ResourceSet): Record<string, number> {
  if (set === noResources) return {};
  return Object.fromEntries(
    set.split(',').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at), Number(part.slice(at + 1))];
    }),
  );
}

/** What a list of generic resources of Slurm names besides GPUs: `gpu:2,fpga:xilinx:1` has `fpga=1`. */
export function resourcesOfGres(gres: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const part of gres.split(',')) {
    const [name = '', ...rest] = part
      .trim()
      .replace(/^gres[/:]/, '')
      .replace(/\(.*$/, '')
      .split(':');
    const last = rest.at(-1);
    const amount = last !== undefined && /^[0-9]{1,9}$/.test(last) ? Number(last) : 1;
    if (!resourceName.test(name) || ['gpu', 'mps', 'shard'].includes(name) || own.has(name)) continue;
    found[name] = (found[name] ?? 0) + amount;
  }
  return found;
}

/** `2 fpga and 100 scratch_gb`. */
export function amountsText(amounts: Amounts): string {
  const words = Object.entries(amounts).map(([name, amount]) => `${amount} ${name}`);
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
