/** Where the output of an attempt is, as its row stores it. */
import type { Request } from '../../api/contract.ts';

export type LogPlace = NonNullable<Request<'exchange'>['finished'][number]['log']>;

/** Values of log_kind, log_slot, log_offset and log_length. */
export function placeValues(place: LogPlace | undefined): (string | number | null)[] {
  if (place === undefined) return [null, null, null, null];
  const part = place.kind === 'combined' ? [place.offset, place.length] : [null, null];
  return [place.kind, place.kind === 'slot' ? place.slot : null, ...part];
}
