/** The records of the contract against the definitions of the lists: the same columns with values of the same kind. */
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { type ListName, records } from '../../src/api/records.ts';
import type { Column, Kind } from '../../src/storage/lists/columns.ts';
import { definitions } from '../../src/storage/lists/list-definitions.ts';

const samples: Record<Kind, unknown> = {
  key: '7',
  text: 'some text',
  integer: 7,
  seconds: 1.5,
  instant: '2026-01-02T03:04:05.678Z',
  flag: true,
  json: [],
  texts: { a: 'some text' },
};
/** A value of a kind that no column has. */
const stray = 7n;

function problemsOf(schema: z.ZodType | undefined, column: Column): string[] {
  const accepts = (value: unknown): boolean => schema?.safeParse(value).success === true;
  const values = column.values ?? [samples[column.kind]];
  const refused = values.filter((value) => !accepts(value)).map((value) => `refuses ${value}`);
  const isLoose = accepts(stray) || (column.values !== undefined && accepts(samples.text));
  return isLoose ? [...refused, 'accepts anything'] : refused;
}

describe.each(Object.keys(records) as ListName[])('records of %s', (list) => {
  const { columns } = definitions[list];
  const shape: Record<string, z.ZodType> = records[list]().shape;

  it('have the columns of the list', () => {
    expect(Object.keys(shape).sort()).toEqual(columns.map(({ name }) => name).sort());
  });

  it('have values of the kind that each column has', () => {
    const problems = columns.flatMap((column) =>
      problemsOf(shape[column.name], column).map((problem) => `${column.name} ${problem}`),
    );
    expect(problems).toEqual([]);
  });
});
