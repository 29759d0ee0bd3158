/** What a node of a Slurm config's allocations has for jobs, as far as that can be told. */
import { parseMemory } from '../../base/units.ts';
import type { Offer } from './packing.ts';

/** The texts of a Slurm config that say how much of a node its allocations get. */
export interface NodeTexts {
  ntasksPerNode: number | null;
  mem: string | null;
  gres: string | null;
  extra: string | null;
}

export type NodeSize = Pick<Offer, 'numCpus' | 'memoryBytes' | 'numGpus'>;

/**
 * The size that the newest worker of the config has shown, else what the config asks for. Null while neither tells the
 * number of CPUs; memory that nobody states is taken to be enough.
 */
export function nodeSize(texts: NodeTexts, shown: NodeSize | null): NodeSize | null {
  if (shown !== null) return shown;
  const cpusPerTask = Number(/(?:^|\s)(?:--cpus-per-task[= ]|-c ?)([0-9]+)/.exec(texts.extra ?? '')?.[1] ?? 0);
  if (texts.ntasksPerNode === null && cpusPerTask === 0) return null;
  const numCpus = (texts.ntasksPerNode ?? 1) * Math.max(1, cpusPerTask);
  return { numCpus, memoryBytes: memoryOf(texts.mem), numGpus: gpusOf(texts.gres) };
}

/** Slurm takes a number without a unit as megabytes, and 0 as all that the node has. */
function memoryOf(mem: string | null): number {
  const text = mem?.trim() ?? '';
  if (text === '' || /^0+$/.test(text)) return Number.MAX_SAFE_INTEGER;
  try {
    return parseMemory(/^[0-9]+$/.test(text) ? `${text}m` : text);
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

function gpusOf(gres: string | null): number {
  const parts = (gres ?? '').split(',').filter((part) => /^(gres[/:])?gpu\b/.test(part.trim()));
  return parts.reduce((sum, part) => sum + Number(/:([0-9]+)(?:\(|$)/.exec(part.trim())?.[1] ?? 1), 0);
}
