/** What a list prints as a heading can be typed as a column, everywhere a column is typed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListName, records } from '../../src/api/records.ts';
import { textColumns } from '../../src/cli/output/list-columns.ts';
import { printList } from '../../src/cli/output/output.ts';
import type { Service } from '../../src/server/service.ts';
import { freshService } from '../support/service.ts';
import { fakeContext, fakeTerminal } from '../unit/cli-fakes.ts';

let service: Service;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ service, close } = await freshService());
});
afterAll(() => close());

/** The words of the first line that a list of one record prints. */
async function headings(list: ListName, chosen: readonly string[] | null, isTerminal = false): Promise<string[]> {
  const terminal = fakeTerminal(isTerminal);
  const record = Object.fromEntries(Object.keys(records[list]().shape).map((column) => [column, 1]));
  async function* page() {
    yield [record];
  }
  await printList(fakeContext(terminal, {}, { NO_COLOR: '1' }), list, page(), { chosen, excluded: [] });
  return terminal.stdout.join('').split('\n')[0]?.trim().split(/ +/) ?? [];
}

describe.each(Object.keys(records) as ListName[])('the headings of %s', (list) => {
  it('are accepted as columns', async () => {
    const all = await headings(list, Object.keys(records[list]().shape));
    expect(await headings(list, all)).toEqual(all);
    expect(await headings(list, null)).toHaveLength(textColumns[list].length);
    const short = await headings(list, Object.keys(records[list]().shape), true);
    expect(new Set(short).size).toBe(all.length);
    expect(await headings(list, short, true)).toEqual(short);
  });

  it('are accepted to sort and to filter by', async () => {
    const columns = Object.keys(records[list]().shape);
    const all = [...(await headings(list, columns)), ...(await headings(list, columns, true))];
    for (const heading of new Set(all)) {
      const filters = [{ column: heading, value: '' }];
      const request = { list, workflow_key: null, filters, sort_by: heading, reverse: false, limit: 1, skip: 0 };
      await expect(service.call('list', request), heading).resolves.toMatchObject({ records: [] });
    }
  });
});
