/** What jobs of a group need to start on a worker. */
import type { Requirements } from '../job.ts';
import type { JobGroup } from './groups.ts';

/** A job whose runtime is only assumed has to fit as well. */
export function needOf({ need, runtimeMs }: Pick<JobGroup, 'need' | 'runtimeMs'>): Requirements {
  if (need.isRuntimeStated || need.expectedMs !== undefined) return need;
  return { ...need, isRuntimeStated: true, runtimeMs };
}
