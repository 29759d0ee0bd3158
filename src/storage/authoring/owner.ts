/** Who owns what a request makes. */
import { TorcError } from '../../base/errors.ts';

/** The person who sent the request; throws TorcError 'usage' when it names somebody else. */
export function ownerOf(who: string, named: string | undefined): string {
  if (named === undefined || named === who) return who;
  const hint = 'What you create is yours; -U filters what is listed.';
  throw new TorcError('usage', `a request of ${who} cannot act as ${named}`, hint);
}
