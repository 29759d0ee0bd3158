import { expect, it } from 'vitest';
import { parseJson } from '../../src/base/exact-json.ts';
import { userData } from '../../src/cli/documents/ro-crate-parameters.ts';

it('user data has the type of its value, also of numbers that stay as they are written', () => {
  const typed = ['1', '1.50', '9007199254740993', '"one"', 'true', '{"a":1.50}'].map((text) => {
    const [parameter, value] = userData('1', 'x', parseJson(text), (each) => each);
    return [parameter?.additionalType, value?.value];
  });
  expect(typed).toEqual([
    ['Number', '1'],
    ['Number', '1.50'],
    ['Number', '9007199254740993'],
    ['Text', 'one'],
    ['Boolean', 'true'],
    ['PropertyValue', '{"a":1.50}'],
  ]);
});
