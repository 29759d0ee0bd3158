import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NameList } from '../../src/model/expand/name-list.ts';

it('keeps names of any characters, and finds the first of equal ones', () => {
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 5 }),
    fc.constantFrom('a', 'b', '\xff', '\u0100', '\ud800', ''),
  );
  fc.assert(
    fc.property(fc.array(name, { maxLength: 40 }), name, (names, other) => {
      const list = new NameList();
      for (const [number, each] of names.entries()) expect(list.add(each)).toBe(number);
      expect([...list]).toEqual(names);
      expect([list.length, list.at(-1), list.at(names.length)]).toEqual([names.length, undefined, undefined]);
      for (const each of [...names, other]) {
        const first = names.indexOf(each);
        expect(list.numberOf(each)).toBe(first < 0 ? undefined : first);
      }
    }),
  );
});

it('grows to any number of names', () => {
  const list = new NameList();
  const names = Array.from({ length: 5000 }, (_, i) => `job_${i}${i % 7 === 0 ? '\u{1f600}'.repeat(i % 11) : ''}`);
  for (const name of names) list.add(name);
  expect([...list]).toEqual(names);
  expect(names.map((name) => list.numberOf(name))).toEqual([...names.keys()]);
  expect([...list.first(2)]).toEqual(names.slice(0, 2));
});
