/** Finds what slurmstepd writes into an allocation's output when memory has run out. */
import type { MemoryWords } from '../model/decide/diagnosis.ts';

const patterns = [
  /Detected \d+ oom[-_]kill event/i,
  /oom[-_]kill event/i,
  /exceeded memory limit \((\d+) > \d+\)/i,
  /Exceeded job memory limit/i,
];

/** Searches the end of an output file; null when nothing is found. Only lines of slurmstepd and srun count. */
export function findMemoryWords(text: string): MemoryWords | null {
  const lines = text.split('\n').filter(isOfMemory);
  if (lines.length === 0) return null;
  const nodes = new Set<string>();
  let usedBytes: number | null = null;
  for (const line of lines) {
    const node = /slurmstepd-([^\s:]+):/.exec(line)?.[1] ?? /srun: error: ([^\s:]+): task/.exec(line)?.[1];
    if (node !== undefined) nodes.add(node);
    const used = /exceeded memory limit \((\d{1,15}) > \d+\)/i.exec(line)?.[1];
    if (used !== undefined) usedBytes = Math.max(usedBytes ?? 0, Number(used));
  }
  const said = (lines[0] ?? '').replace(/^.*?(?:slurmstepd[^:]*|srun): (?:error: )?/, '').trim();
  return { text: said.slice(0, 300), nodes: [...nodes], usedBytes };
}

function isOfMemory(line: string): boolean {
  if (!/(?:slurmstepd|srun)/.test(line)) return false;
  if (/^srun: error: \S+: task .*Out Of Memory/i.test(line)) return true;
  return patterns.some((pattern) => pattern.test(line));
}
