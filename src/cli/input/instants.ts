/** Instants as people type them. */
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';

/** `2026-01-31`, `2026-01-31T12:00`, `2026-01-31 12:00:30`, with `Z` or an offset; without one in local time. Returns UTC. */
export function instantGiven(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text.trim());
  const at = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? ''}`);
  if (Number.isFinite(at)) return isoInstant(at);
  throw new TorcError('usage', `'${text}' is not an instant`, 'For example: 2026-01-31T12:00, 2026-01-31T12:00:30Z');
}
