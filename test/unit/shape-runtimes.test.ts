import { expect, it } from 'vitest';
import { ShapeRuntimes } from '../../src/server/exchange/shape-runtimes.ts';

it('the usual runtime of a shape follows the latest ends of its own jobs', () => {
  const runtimes = new ShapeRuntimes();
  const note = (...runtimesMs: number[]) => {
    for (const runtimeMs of runtimesMs) runtimes.note(1, runtimeMs);
    return runtimes.medianMs(1);
  };
  expect(note(10, 30)).toBe(null);
  expect(note(20)).toBe(20);
  runtimes.note(2, 500);
  expect(runtimes.medianMs(1)).toBe(20);
  expect(note(40, 40)).toBe(30);
  expect(note(...new Array(15).fill(7))).toBe(7);
  expect(runtimes.medianMs(2)).toBe(null);
});
