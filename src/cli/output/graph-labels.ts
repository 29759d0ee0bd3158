/** The labels and colours of groups in graphs. */
import type { JobGroup } from '../../model/graph/grouped-graph.ts';

/** Longer names are cut in boxes. */
const longestTitle = 40;

const colors: Readonly<Record<string, string>> = {
  uninitialized: '#eceff1',
  blocked: '#cfd8dc',
  ready: '#bbdefb',
  submitted_pending: '#80deea',
  submitted: '#4dd0e1',
  done: '#a5d6a7',
  failed: '#ef9a9a',
  canceled: '#ffe082',
  terminated: '#ffcc80',
  disabled: '#e0e0e0',
};

export function colorOf(status: string): string {
  return colors[status] ?? '#ffffff';
}

/** `train_* (18 jobs)`. */
export function titleOf({ label, num_jobs: count }: JobGroup): string {
  const characters = [...label];
  const short = characters.length > longestTitle ? `${characters.slice(0, longestTitle - 1).join('')}…` : label;
  return count > 1 ? `${short} (${count} jobs)` : short;
}

/** `12 done, 6 failed`; empty where no status is known. */
export function countsText({ counts, num_jobs: total }: JobGroup): string {
  const words = Object.entries(counts).filter(([, count]) => count > 0);
  return words.map(([word, count]) => (total === 1 ? word : `${count} ${word}`)).join(', ');
}
