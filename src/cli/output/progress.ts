/** One line on a terminal that is redrawn; nothing in a pipe. */
import type { Clock } from '../../base/clock.ts';
import { visible } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import { lineStart } from '../context/terminal.ts';
import { fitWidth } from './width.ts';

export interface Progress {
  /** Replaces the text; some of many frequent calls are dropped. */
  update(text: string): void;
  /** Removes the line, so that other text can be written; the next update brings it back. */
  clear(): void;
}

const redrawMs = 100;
/** Work that takes less than this shows nothing. */
const showAfterMs = 2000;

interface ProgressParts {
  clock: Clock;
  isShown: boolean;
  columns(): number;
  err(text: string, keeps: 'log'): void;
  /** The first line appears after this long. */
  delayMs: number;
}

export function createProgress(parts: ProgressParts): Progress {
  const startedAt = parts.clock.monotonic();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  return {
    update(text) {
      const now = parts.clock.monotonic();
      if (!parts.isShown || now - startedAt < parts.delayMs || now - drawnAt < redrawMs) return;
      drawnAt = now;
      isDrawn = true;
      parts.err(`${lineStart}${fitWidth(visible(text), parts.columns() - 1)}`, 'log');
    },
    clear() {
      if (isDrawn) parts.err(lineStart, 'log');
      isDrawn = false;
      drawnAt = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Progress on the context's terminal, shown after `delayMs`. */
export function startProgress(context: Context, delayMs: number = showAfterMs): Progress {
  const { clock, terminal } = context;
  return createProgress({
    clock,
    isShown: context.hasProgress,
    columns: () => terminal.columns(),
    err: (text, keeps) => terminal.err(text, keeps),
    delayMs,
  });
}
