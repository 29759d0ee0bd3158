/** Factors, as options and at questions. */
import { TorcError } from '../../base/errors.ts';

/** Reads by how much something grows. */
export function readFactor(text: string): number {
  const number = Number(text);
  if (/^[0-9]{1,4}(\.[0-9]+)?$/.test(text) && number > 1 && number <= 1000) return number;
  throw new TorcError('usage', `'${text}' is not a factor above 1, at most 1000`, 'For example: 1.5');
}
