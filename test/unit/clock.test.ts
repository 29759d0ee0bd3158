/** The clock of the system. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const dayMs = 24 * 3_600_000;

it('waits for longer than a timer of Node can', () => {
  const call = vi.fn();
  systemClock.after(60 * dayMs, call);
  vi.advanceTimersByTime(60 * dayMs - 1);
  expect(call).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(call).toHaveBeenCalledOnce();
});

it('no longer calls once it was cancelled, at whichever timer of a long wait', () => {
  const call = vi.fn();
  const cancel = systemClock.after(60 * dayMs, call);
  vi.advanceTimersByTime(40 * dayMs);
  cancel();
  vi.advanceTimersByTime(60 * dayMs);
  expect(call).not.toHaveBeenCalled();
});
