/** How far V8 lets the memory of this process grow. */
import { setFlagsFromString } from 'node:v8';

/** While the jobs of a specification are made or stored, of which there may be a million. */
export const growthOfCreation = 20;

/** Outside of `withSmallHeap`; 0 leaves it to V8. */
let usualPercent = 0;
let isSmaller = false;

/**
 * Collects garbage when the heap has grown by so many percent of what is in use; by default V8 lets it grow to up to four
 * times as much.
 */
export function keepHeapSmall(percent: number): void {
  usualPercent = percent;
  if (!isSmaller) setGrowth(percent);
}

/** The same during this work, also when the process begins to serve others meanwhile, for which it asks for more. */
export async function withSmallHeap<T>(percent: number, work: () => Promise<T>): Promise<T> {
  isSmaller = true;
  setGrowth(percent);
  try {
    return await work();
  } finally {
    isSmaller = false;
    setGrowth(usualPercent);
  }
}

function setGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
