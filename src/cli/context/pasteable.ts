/** Hints that can be pasted where they are shown. */
import { TorcError } from '../../base/errors.ts';
import type { Context } from './context.ts';

/** The error with a hint that works for this server directory: the server does not know the option `--dir`. */
export function pasteable(error: unknown, context: Pick<Context, 'torc'>): unknown {
  if (!(error instanceof TorcError) || error.hint === null) return error;
  const { code, message, hint } = error;
  const named = pasteableWords(hint, context);
  return named === hint ? error : new TorcError(code, message, named, { cause: error });
}

/** Words whose commands, at their beginning or after a colon, work for this server directory. */
export function pasteableWords(words: string, { torc }: Pick<Context, 'torc'>): string {
  if (torc === 'torc' || words.includes(`${torc} `)) return words;
  return words.replace(/(^|: )torc (?=[a-z]|-k )/g, (_, before) => `${before}${torc} `);
}
