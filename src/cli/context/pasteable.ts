/** Hints that can be pasted where they are shown. */
import { TorcError } from '../../base/errors.ts';
import type { Context } from './context.ts';

/** The error with a hint that works for this server directory: the server does not know the option `--dir`. */
export function pasteable(error: unknown, { torc }: Pick<Context, 'torc'>): unknown {
  if (!(error instanceof TorcError) || torc === 'torc') return error;
  const { code, message, hint } = error;
  if (hint === null || hint.includes(`${torc} `)) return error;
  const named = hint.replace(/(^|: )torc (?=[a-z]|-k )/g, (_, before) => `${before}${torc} `);
  return named === hint ? error : new TorcError(code, message, named, { cause: error });
}
