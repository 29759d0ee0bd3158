/** Which growth of the heap V8 is told when a command stores a workflow and becomes a server meanwhile. */
import { beforeEach, expect, test, vi } from 'vitest';

const told = vi.hoisted(() => [] as string[]);
vi.mock('node:v8', () => ({ setFlagsFromString: (flag: string) => told.push(flag) }));

const { keepHeapSmall, withSmallHeap } = await import('../../src/base/heap.ts');

const inForce = (): string | undefined => told.at(-1);

beforeEach(() => {
  told.length = 0;
  keepHeapSmall(30);
});

test('what is asked for during work with a small heap counts only after it', async () => {
  const result = await withSmallHeap(20, async () => {
    expect(inForce()).toBe('--heap-growing-percent=20');
    keepHeapSmall(100);
    await Promise.resolve();
    expect(inForce()).toBe('--heap-growing-percent=20');
    return 'stored';
  });
  expect(result).toBe('stored');
  expect(inForce()).toBe('--heap-growing-percent=100');
  keepHeapSmall(50);
  expect(inForce()).toBe('--heap-growing-percent=50');
});

test('work that fails leaves the heap as it was', async () => {
  const work = withSmallHeap(20, async () => {
    throw new Error('no space');
  });
  await expect(work).rejects.toThrow('no space');
  expect(inForce()).toBe('--heap-growing-percent=30');
});
