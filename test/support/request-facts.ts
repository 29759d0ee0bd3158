/** What a worker without news says of itself in a request. */
import type { RequestFacts } from '../../src/worker/exchange/session.ts';

export const noNews: Omit<RequestFacts, 'nowMs'> = {
  timeLeftMs: null,
  draining: false,
  leaving: false,
  samples: [],
  mostJobs: null,
  withYoungStarts: true,
};
