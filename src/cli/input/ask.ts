/** Questions at the terminal. */
import { TorcError } from '../../base/errors.ts';
import { harmless } from '../../base/text.ts';
import type { Context } from '../context/context.ts';

/** Asks for one line; throws 'interrupted' when the input ends instead. */
export async function ask(context: Context, question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  let stop = (): void => {};
  try {
    return await new Promise<string>((resolve, reject) => {
      stop = () => {
        context.terminal.err('\n');
        reject(new TorcError('interrupted', 'no answer was given; nothing was done'));
      };
      reader.once('SIGINT', stop);
      reader.once('close', stop);
      reader.question(harmless(question, 'lines'), (answer) => resolve(answer.trim()));
    });
  } finally {
    // the reader itself listens too: without that, it would go on echoing what the next one reads
    reader.off('close', stop);
    reader.close();
  }
}

/** Asks a yes-or-no question; anything but yes is no. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(context, `${question} [y/N] `));
}

/** Asks before something is deleted; `command` deletes it without asking. Throws TorcError unless the answer is yes. */
export async function askToDelete(context: Context, what: string, command: string): Promise<void> {
  if (!context.mayAsk) {
    throw new TorcError('usage', `deleting ${what} needs confirmation`, `${context.torc} ${command}`);
  }
  if (!(await confirm(context, `Delete ${what}?`))) throw new TorcError('interrupted', 'nothing was deleted');
}
