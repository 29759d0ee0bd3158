/** `-U NAME` filters what is listed. It never lets anybody act as somebody else. */
import type { Api } from '../../api/contract.ts';
import { needsKey } from '../../api/repetition.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';

/** The user given with `-U` if that is not the one who runs the command, else null. */
export function otherUser({ user, userOption }: Context): string | null {
  return userOption === null || userOption === user ? null : userOption;
}

export function cannotActAs({ user }: Context, other: string): TorcError {
  return new TorcError(
    'usage',
    `-U ${other} shows what belongs to ${other}, but changes nothing: you are ${user}`,
    'Leave out -U. What you create belongs to you.',
  );
}

/** The calls that change nothing; others throw TorcError 'usage'. */
export function readingApi(context: Context, api: Api, other: string): Api {
  return {
    async call(endpoint, request, options) {
      if (needsKey(endpoint, request)) throw cannotActAs(context, other);
      return await api.call(endpoint, request, options);
    },
    close: () => api.close(),
  };
}
