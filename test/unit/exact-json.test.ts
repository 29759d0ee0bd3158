/** Numbers of documents stay as they are written. */
import { describe, expect, it } from 'vitest';
import { jsonText, parseJson, parseMessage, WrittenNumber, withPlainNumbers } from '../../src/base/exact-json.ts';

const odd = [
  ...['9007199254740993', '-12345678901234567890', '1.0', '-0', '-0.0', '1e3', '1E+2', '0.10', '1e400', '1e-400'],
  '0.12345678901234567890',
];

describe('a document', () => {
  it.each(odd)('keeps %s', (number) => {
    const text = `{"a":[${number},{"__proto__":${number}}],"1.0":"${number}","b\\\\\\"":1}`;
    expect(jsonText(parseJson(text))).toBe(text);
    expect(jsonText(parseJson(number))).toBe(number);
  });

  it('has plain numbers where they say the same', () => {
    expect(parseJson('[0, 1, -2.5, 1e21, 0.1, 9007199254740991]')).toEqual([
      ...[0, 1, -2.5],
      new WrittenNumber('1e21'),
      ...[0.1, 9007199254740991],
    ]);
    expect(JSON.stringify(parseJson('[1.0, 1e2]'))).toBe('[1,100]');
    expect(() => parseJson('[01.0]')).toThrow(SyntaxError);
  });

  it('is indented like any other', () => {
    expect(jsonText(parseJson('{"a":1.0}'), 2)).toBe('{\n  "a": 1.0\n}');
  });
});

it('a message has written numbers only in the documents in it', () => {
  const text = '{"priority":3.0,"jobs":[{"data":{"x":[1.0]},"n":[2.0]}]}';
  expect(jsonText(parseMessage(text))).toBe('{"priority":3,"jobs":[{"data":{"x":[1.0]},"n":[2]}]}');
  expect(parseMessage('1.0')).toBe(1);
  expect(Object.entries(withPlainNumbers(parseJson('{"__proto__":1.0}'), () => false) as object)).toEqual([
    ['__proto__', 1],
  ]);
});
