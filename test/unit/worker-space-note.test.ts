/** What a person hears of a server without space, from the worker that they have started. */
import { expect, it } from 'vitest';
import type { Api } from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';
import { withSpaceNote } from '../../src/worker/exchange/space-note.ts';

it('a worker tells once that the server has no space, and once that something was stored again', async () => {
  const told: string[] = [];
  let answer: object | TorcError = { reports: [], jobs: [] };
  const call = async () => {
    if (answer instanceof TorcError) throw answer;
    return answer;
  };
  const api = withSpaceNote({ call, close: async () => {} } as unknown as Api, (text) => told.push(text));
  const exchange = () => api.call('exchange', {} as never).catch((error: unknown) => error);
  const stored = { reports: [{}], jobs: [] };
  for (const each of [stored, new TorcError('unreachable', 'away'), stored]) {
    answer = each;
    await exchange();
  }
  expect(told).toEqual([]);
  const full = new TorcError('no_space', 'the database cannot be written: database or disk is full');
  answer = full;
  expect(await exchange()).toBe(full);
  await exchange();
  // without reports the server writes nothing
  answer = { reports: [], jobs: [] };
  await exchange();
  expect(told).toEqual([
    'the database cannot be written: database or disk is full; running jobs go on, and results wait until it can be written: torc doctor',
  ]);
  answer = stored;
  await exchange();
  await exchange();
  expect(told.slice(1)).toEqual(['the database can be written again']);
});
