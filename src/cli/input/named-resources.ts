/** Named resources as they are typed. */
import { TorcError } from '../../base/errors.ts';
import { problemOfResources } from '../../model/named-resources.ts';

/** Adds NAME=N to the named resources before; an empty text means none. Throws TorcError 'usage' for what is neither. */
export function namedResources(text: string, before: Record<string, number> = {}): Record<string, number> {
  if (text === '') return {};
  const match = /^([^=]+)=([0-9]+)$/.exec(text);
  const amounts = match === null ? {} : { ...before, [match[1] ?? '']: Number(match[2]) };
  const problem = match === null ? `'${text}' is not NAME=N` : problemOfResources(amounts);
  if (problem === null) return amounts;
  throw new TorcError('usage', problem, 'For example: --resource fpga=2');
}
