/** What nodes of a cluster offer. */
import type { NodeKind } from './site.ts';

/** GPUs of all types. */
export function numGpusOf({ gpus }: Pick<NodeKind, 'gpus'>): number {
  return gpus.reduce((sum, { count }) => sum + count, 0);
}
