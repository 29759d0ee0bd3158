/** The numbers of the schema files. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Numbers that no file has. One of these must not come later: databases that have passed it would never get it. */
const passed = [14, 15, 18, 19, 25, 26, 35, 46, 50, 54, 55, 57, 58, 62, 67];

it('leave no gap that a later file could fill', () => {
  const names = readdirSync(new URL('../../src/storage/schema', import.meta.url)).sort();
  const numbers = names.map((name) => Number(/^(\d{3})_\w+\.sql$/.exec(name)?.[1]));
  const expected = Array.from({ length: numbers.at(-1) ?? 0 }, (_, index) => index + 1);
  expect(numbers).toEqual(expected.filter((number) => !passed.includes(number)));
});
