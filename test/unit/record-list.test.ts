/** Lists that are filtered here behave as those that the server filters. */
import { describe, expect, it } from 'vitest';
import { limitsListed } from '../../src/api/concurrency.ts';
import type { ListRecord } from '../../src/api/contract.ts';
import { schedulesListed } from '../../src/api/schedules.ts';
import { limitColumns } from '../../src/cli/actions/limits.ts';
import { scheduleColumns } from '../../src/cli/actions/schedules.ts';
import { type ListOptions, parseFilter } from '../../src/cli/input/filters.ts';
import { chosenRecords } from '../../src/cli/input/record-list.ts';
import { patternTest } from '../../src/model/pattern.ts';

const records: ListRecord[] = [
  { name: 'b', group_key: '1', num_left: 10, is_on: true, rule: 'skip', next_at: '2026-01-01T00:00:00.000Z' },
  { name: 'a[1]', group_key: '2', num_left: 9, is_on: false, rule: 'queue', next_at: null },
  { name: 'a1', group_key: '12', num_left: 10, is_on: true, rule: 'skip', next_at: '2025-01-01T00:00:00.000Z' },
];
const list = {
  name: 'things',
  columns: ['name', 'group_key', 'num_left', 'is_on', 'rule', 'next_at'],
  words: { rule: ['skip', 'queue', 'allow'] },
  usual: ['name'],
  asText: () => ({}),
  ifNone: '',
};

function names(filters: string[], options: Partial<ListOptions> = {}): unknown[] {
  const filter = filters.map(parseFilter);
  return chosenRecords(list, records, { excludeColumn: [], filter, ...options }).map(({ name }) => name);
}

describe('a list of records', () => {
  it.each([
    [[], ['b', 'a[1]', 'a1']],
    [['name=a*'], ['a[1]', 'a1']],
    [['name=a[1]'], ['a[1]']],
    [['name=a[1]*'], ['a[1]']],
    [['name=a?'], ['a1']],
    [
      ['num_left=10.0', 'is_on=1'],
      ['b', 'a1'],
    ],
    [['left=9'], ['a[1]']],
    [['is_on=false'], ['a[1]']],
    [['rule=allow'], []],
    [['rule=skip', 'name=b'], ['b']],
    [['group_key=1,2'], ['b', 'a[1]']],
    [['next_at='], ['a[1]']],
    [['next=2025-01-01T01:00:00+01:00'], ['a1']],
  ])('filtered by %j', (filters, expected) => {
    expect(names(filters)).toEqual(expected);
  });

  it('is sorted by meaning, and cut after that', () => {
    expect(names([], { sortBy: 'num_left' })).toEqual(['a[1]', 'b', 'a1']);
    expect(names([], { sortBy: 'num_left', reverseSort: true })).toEqual(['a1', 'b', 'a[1]']);
    expect(names([], { sortBy: 'next' })).toEqual(['a[1]', 'a1', 'b']);
    expect(names([], { sortBy: 'name', skip: 1, limit: 1 })).toEqual(['a[1]']);
    expect(names([], { reverseSort: true, limit: 2 })).toEqual(['a1', 'a[1]']);
  });

  it.each([
    ['nme=a', 'things have no column \'nme\'; did you mean "name"?'],
    ['num_left=x', 'num_left must be a number, not "x"'],
    ['is_on=maybe', 'is_on must be true or false, not "maybe"'],
    ['rule=skp', 'rule cannot be "skp"; did you mean "skip"?'],
    ['next_at=soon', 'next_at must be a time in ISO 8601, not "soon"'],
  ])('refuses %s', (filter, message) => {
    expect(() => names([filter])).toThrow(expect.objectContaining({ code: 'usage', message }));
    expect(() => names([], { sortBy: 'nme' })).toThrow("no column 'nme'");
  });

  it('knows all columns of its records', () => {
    expect(limitColumns).toEqual(Object.keys(limitsListed().shape.limits.element.shape));
    expect(scheduleColumns).toEqual(Object.keys(schedulesListed().shape.schedules.element.shape));
  });
});

it('a pattern takes everything but * and ? literally', () => {
  expect(['a.b', 'axb', 'a.bc', 'a\n.b'].filter(patternTest('a.b'))).toEqual(['a.b']);
  expect(['^(x)|{y}$\\', 'x'].filter(patternTest('^(x)|{y}$\\'))).toEqual(['^(x)|{y}$\\']);
  expect(['a\nb', 'ab', 'a'].filter(patternTest('a*b'))).toEqual(['a\nb', 'ab']);
  expect(['\u{1f680}', 'ab'].filter(patternTest('?'))).toEqual(['\u{1f680}']);
});
