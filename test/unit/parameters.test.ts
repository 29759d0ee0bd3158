// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the shell's variables are written like that
import { describe, expect, it } from 'vitest';
import { Template } from '../../src/model/expand/template.ts';
import { plainText, productOf, readValues, type Value, valueAt, zipOf } from '../../src/model/spec/parameters.ts';

const textsOf = (written: Parameters<typeof readValues>[0]) => readValues(written).map(plainText);

describe('values', () => {
  it.each([
    ['1:4', ['1', '2', '3', '4']],
    ['0:100:25', ['0', '25', '50', '75', '100']],
    ['0:0.3:0.1', ['0', '0.1', '0.2', '0.3']],
    ['1:2:0.3', ['1', '1.3', '1.6', '1.9']],
    ['0.5:2.5', ['0.5', '1.5', '2.5']],
    ['{1:3}', ['1', '2', '3']],
    [' 3 : 1 : -1 ', ['3', '2', '1']],
    ['-1:1', ['-1', '0', '1']],
    ['-0.2:0.2:0.2', ['-0.2', '0', '0.2']],
    ['5:5', ['5']],
    ['1e-7:3e-7:1e-7', ['0.0000001', '0.0000002', '0.0000003']],
    ['[a,b , c]', ['a', 'b', 'c']],
    ["['adam','sgd']", ['adam', 'sgd']],
    ['["a,b", \'it"s\', c d]', ['a,b', 'it"s', 'c d']],
    ['[0.0001,1e-3, 16,]', ['0.0001', '0.001', '16']],
    ['plain', ['plain']],
    ["'a:b'", ['a:b']],
    ['7', ['7']],
  ])('%s gives %j', (written, texts) => {
    expect(textsOf(written)).toEqual(texts);
  });

  it('come from lists and single values as well', () => {
    expect(readValues([1, 'a', true, 0.5, '1:3'])).toEqual([1, 'a', 'true', 0.5, '1:3']);
    expect(readValues(5)).toEqual([5]);
    expect(readValues(false)).toEqual(['false']);
  });

  it('have both ends of a range without drift, however long it is', () => {
    const values = readValues('0:1000:0.001');
    expect(values).toHaveLength(1_000_001);
    expect(values.at(-1)).toBe(1000);
    expect(values[300]).toBe(0.3);
  });

  it.each([
    ['0:1e12:1', 'gives 1000000000001 values; at most 2000000'],
    ['0:1:1e-300', 'at most 2000000'],
    ['1:9007199254740993', 'too large'],
    ['0:1e400', 'too large'],
    ['1:5:0', 'a step of 0'],
    ['5:1', 'the end is before the start'],
    ['1:5:-1', 'the end is after the start'],
    ['1:b', 'a range is'],
    ['1:2:3:4', 'a range is'],
    ['s3://bucket', 'a range is'],
    ['[]', 'has no values'],
    ['[a,,b]', 'an empty value'],
    ["['a]", 'is not closed'],
    ['@names.txt', 'values in a file are not read here'],
  ])('%s is refused', (written, message) => {
    expect(() => readValues(written)).toThrow(message);
  });
});

describe('sweeps', () => {
  const parameters = (...entries: [string, Value[]][]) => new Map(entries);
  const all = (sweep: ReturnType<typeof productOf>) =>
    Array.from({ length: sweep.count }, (_, k) => sweep.parameters.map((p) => valueAt(p, k)).join(''));

  it('combine each with each, the last parameter changing fastest', () => {
    expect(all(productOf(parameters(['a', [1, 2]], ['b', ['x', 'y', 'z']])))).toEqual([
      '1x',
      '1y',
      '1z',
      '2x',
      '2y',
      '2z',
    ]);
    expect(productOf(parameters(['a', [1]], ['b', [1, 2]], ['c', [1, 2]], ['d', [1]], ['e', [1, 2]])).count).toBe(8);
  });

  it('pair values up, and refuse unequal lengths naming both', () => {
    expect(all(zipOf(parameters(['a', [1, 2]], ['b', ['p', 'q']])))).toEqual(['1p', '2q']);
    expect(() => zipOf(parameters(['a', [1, 2]], ['b', ['p']]))).toThrow('"a" has 2 values, "b" has 1');
  });

  it('are refused when they are too many', () => {
    const thousand = Array.from({ length: 1000 }, (_, i) => i);
    expect(() => productOf(parameters(['a', thousand], ['b', thousand], ['c', thousand]))).toThrow('1000000000');
  });
});

describe('templates', () => {
  const sweep = productOf(
    new Map<string, Value[]>([
      ['i', [7, -3]],
      ['lr', [0.001]],
      ['s', ['adam']],
    ]),
  );
  const at = (text: string, instance = 0) => Template.of(text, sweep).at(instance);

  it.each([
    ['{i}', '7'],
    ['{i:03d}', '007'],
    ['{i:3d}|', '  7|'],
    ['{i:.2f}', '7.00'],
    ['{lr:.4f} and {lr}', '0.0010 and 0.001'],
    ['{lr:8.3f}', '   0.001'],
    ['{lr:.1e}', '1.0e-3'],
    ['{s}{s:6}|{s:s}', 'adamadam  |adam'],
    ['{{i}}', '{7}'],
  ])('%s becomes %s', (text, expected) => {
    expect(at(text)).toBe(expected);
  });

  it('pad negative numbers after the sign', () => {
    expect(at('{i:04d}', 1)).toBe('-003');
  });

  it.each(["awk '{print $1}'", 'echo ${i} ${HOME} ${lr:-3}', 'mv a{b,c} {1..3} {} { i } {j} {I}', '${i}', 'a{3,}'])(
    'leave %s alone',
    (text) => {
      expect(at(text)).toBe(text);
    },
  );

  it('of a factory have $name and ${name} as well', () => {
    const text = '$i ${i} {i} $if ${if} $HOME $$ $';
    expect(Template.of(text, sweep, true).at(0)).toBe('7 7 7 $if ${if} $HOME $$ $');
  });

  it.each([
    ['{s:03d}', 'is for whole numbers, and "s" can be "adam"'],
    ['{lr:d}', 'is for whole numbers'],
    ['{s:.2f}', 'is for numbers'],
    ['{i:x}', 'formats look like'],
    ['{i:}}', ''],
    ['{i:099999d}', 'formats look like'],
  ])('%s is refused', (text, message) => {
    if (message === '') expect(at(text)).toBe('7}');
    else expect(() => at(text)).toThrow(message);
  });
});
