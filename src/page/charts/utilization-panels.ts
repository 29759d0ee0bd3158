/** Which charts of utilization there are, and which lines they have. */
import type { Utilization } from '../../api/contract.ts';
import { formatCount, formatMemory } from '../format.ts';

type Bin = Utilization['bins'][number];

export interface Line {
  word: string;
  tone: 'had' | 'given' | 'used' | 'waits';
  of: (bin: Omit<Bin, 'start'>) => number | null;
}

export interface Panel {
  name: string;
  /** The later ones are drawn over the earlier ones. */
  lines: Line[];
  text: (value: number) => string;
  /** Distances of marks on its axis; null for round numbers. */
  steps: readonly number[] | null;
}

/** Round in the units in which memory is written. */
export const memorySteps: readonly number[] = Array.from({ length: 56 }, (_, power) => 2 ** power);

const plain = (value: number): string => {
  return value < 100 ? String(Math.round(value * 100) / 100) : formatCount(Math.round(value));
};

const all: readonly Panel[] = [
  {
    name: 'CPUs',
    text: plain,
    steps: null,
    lines: [
      { word: 'of the nodes', tone: 'had', of: (bin) => bin.num_cpus },
      { word: 'given to jobs', tone: 'given', of: (bin) => bin.job_cpus },
      { word: 'used', tone: 'used', of: (bin) => bin.used_cpus },
    ],
  },
  {
    name: 'Memory',
    text: formatMemory,
    steps: memorySteps,
    lines: [
      { word: 'of the nodes', tone: 'had', of: (bin) => bin.memory_bytes },
      { word: 'given to jobs', tone: 'given', of: (bin) => bin.job_memory_bytes },
      { word: 'used', tone: 'used', of: (bin) => bin.used_memory_bytes },
    ],
  },
  {
    name: 'GPUs',
    text: plain,
    steps: null,
    lines: [
      { word: 'of the nodes', tone: 'had', of: (bin) => bin.num_gpus },
      { word: 'given to jobs', tone: 'given', of: (bin) => bin.job_gpus },
    ],
  },
  {
    name: 'Nodes',
    text: plain,
    steps: null,
    lines: [
      { word: 'there', tone: 'had', of: (bin) => bin.num_nodes },
      { word: 'waiting in the queue', tone: 'waits', of: (bin) => bin.num_pending_nodes },
    ],
  },
];

/** Those in which there is something; lines that were not measured are left out. */
export function panelsOf({ bins }: Utilization): Panel[] {
  return all
    .map((panel) => ({
      ...panel,
      lines: panel.lines.filter(({ of, tone }) =>
        bins.some((bin) => of(bin) !== null && (tone !== 'waits' || of(bin) !== 0)),
      ),
    }))
    .filter(({ name, lines }) => name !== 'GPUs' || lines.some(({ of }) => bins.some((bin) => (of(bin) ?? 0) > 0)));
}

/** With so many times more on the nodes than in jobs, the axis is that of the jobs. */
const mostUnused = 4;

/** The end of the axis. `largest`: of all lines. */
export function axisMost(bins: readonly Bin[], lines: readonly Line[], largest: number): number {
  const inJobs = lines
    .filter(({ tone }) => tone === 'given' || tone === 'used')
    .reduce((most, { of }) => bins.reduce((sum, bin) => Math.max(sum, of(bin) ?? 0), most), 0);
  const most = inJobs > 0 && largest > inJobs * mostUnused ? inJobs * 1.25 : largest;
  return most > 0 ? most * 1.05 : 1;
}

/** Instants and a list of values for each line; the last value lasts until the end. */
export function lineData(lines: readonly Line[], { bins, to }: Utilization): [number[], ...(number | null)[][]] {
  const ends = to === null ? [] : [Date.parse(to)];
  return [
    [...bins.map(({ start }) => Date.parse(start)), ...ends],
    ...lines.map(({ of }) => {
      const values = bins.map(of);
      return ends.length === 0 ? values : [...values, values.at(-1) ?? null];
    }),
  ];
}
