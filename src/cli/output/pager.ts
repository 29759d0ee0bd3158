/** A pager between stdout and the terminal, where one was asked for. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TorcError } from '../../base/errors.ts';
import { harmless } from '../../base/text.ts';
import type { Context } from '../context/context.ts';

export interface Sink {
  /** False when nobody reads any more. */
  out(text: string): Promise<boolean>;
  /** Waits until the reader is done. */
  close(): Promise<void>;
}

const usualPager = 'less -FRX';

/** `PAGER`, else less; colours pass through it. */
export function openPager({ env }: Context): Sink {
  const command = (env.PAGER ?? '') === '' ? usualPager : String(env.PAGER);
  const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'inherit', 'inherit'], env });
  const { stdin } = child;
  let isGone = false;
  stdin.on('error', () => {
    isGone = true;
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  void ended.finally(() => {
    isGone = true;
  });
  return {
    async out(text) {
      if (isGone) return false;
      if (!stdin.write(harmless(text, 'colors'))) await Promise.race([once(stdin, 'drain'), ended]);
      return !isGone;
    },
    async close() {
      stdin.end();
      // the shell says 127 when there is no such program
      if ((await ended) !== 127) return;
      throw new TorcError('not_found', `the pager ${command} does not exist`, 'Set PAGER, or leave out --pager.');
    },
  };
}
