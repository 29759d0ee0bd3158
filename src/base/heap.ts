/** How far V8 lets the memory of this process grow. */
import { setFlagsFromString } from 'node:v8';

/**
 * Collects garbage when the heap has grown by so many percent of what is in use; by default V8 lets it grow to up to four
 * times as much.
 */
export function keepHeapSmall(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}
