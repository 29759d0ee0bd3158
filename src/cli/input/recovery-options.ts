/** What options and questions about recoveries take. */
import { Option } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { mostRecoveries } from '../../model/decide/recovery.ts';
import { wholeNumber } from './options.ts';

/** Reads by how much something grows. */
export function readFactor(text: string): number {
  const number = Number(text);
  if (/^[0-9]{1,4}(\.[0-9]+)?$/.test(text) && number > 1 && number <= 1000) return number;
  throw new TorcError('usage', `'${text}' is not a factor above 1, at most 1000`, 'For example: 1.5');
}

/** How often a workflow recovers by itself. */
export function maxRecoveriesOption(): Option {
  return new Option('--max-recoveries <n>', 'with --recover: at most this many times (default: 3)').argParser(
    wholeNumber('--max-recoveries', 1, mostRecoveries),
  );
}
