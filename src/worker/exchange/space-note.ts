/** Tells the person who started a worker that the server can store nothing: otherwise they see only that nothing moves. */
import type { Api, ExchangeReply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';

/** The client of a worker; it tells once that the server has no space, and once that it has. */
export function withSpaceNote(api: Api, tell: (text: string) => void): Api {
  let isFull = false;
  return {
    async call(endpoint, request, options) {
      try {
        const reply = await api.call(endpoint, request, options);
        if (isFull && endpoint === 'exchange' && isStored(reply as ExchangeReply)) {
          isFull = false;
          tell('the database can be written again');
        }
        return reply;
      } catch (error) {
        if (!isFull && error instanceof TorcError && error.code === 'no_space') {
          isFull = true;
          tell(`${error.message}; running jobs go on, and results wait until it can be written: torc doctor`);
        }
        throw error;
      }
    },
    close: () => api.close(),
  };
}

/** An answer to reports, or a claim, was written; one that has neither may come from a database that is still full. */
function isStored({ reports, jobs }: ExchangeReply): boolean {
  return reports.length + jobs.length > 0;
}
