/** Fixed seeds of the simulator; `npm run sim` runs as many as one likes. */
import { expect, it } from 'vitest';
import { explain } from './main.ts';
import { runSeed } from './seed.ts';

const numSeeds = 80;
const group = 20;

for (let first = 0; first < numSeeds; first += group) {
  it(`seeds ${first} to ${first + group - 1} hold`, async () => {
    for (let seed = first; seed < first + group; seed++) {
      const result = await runSeed(seed);
      if (result.broken.length > 0) expect.fail(explain(result));
    }
  });
}

it('a seed happens the same way each time', async () => {
  const [one, other] = [await runSeed(7), await runSeed(7)];
  expect(one.trace.length).toBeGreaterThan(20);
  expect(other).toEqual(one);
});
