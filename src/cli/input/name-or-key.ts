/** Finds a row by its name or key; if both match, the name counts. */
import type { Api, ListRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { listRequest } from './filters.ts';

const kinds = {
  files: { key: 'file_key', words: 'file', command: 'files' },
  user_data: { key: 'user_data_key', words: 'user data', command: 'user-data' },
  resource_requirements: {
    key: 'resource_requirements_key',
    words: 'resource requirements',
    command: 'resource-requirements',
  },
} as const;

/** A suggestion is looked for among this many names. */
const comparedNames = 100;

/** The record of the workflow with this name, else the one with this key. Throws TorcError 'usage' or 'not_found'. */
export async function findByNameOrKey(
  context: Context,
  api: Api,
  list: keyof typeof kinds,
  workflowKey: string,
  nameOrKey: string,
): Promise<ListRecord> {
  const { key, words, command } = kinds[list];
  const listed = `${context.torc} -k ${workflowKey} ${command} list`;
  if (nameOrKey === '') throw new TorcError('usage', `the name of the ${words} is empty`, listed);
  const read = async (limit: number, filter: { column: string; value: string }[]): Promise<ListRecord[]> => {
    const options = { filter, excludeColumn: [] };
    return (await api.call('list', listRequest(list, workflowKey, options, { limit, skip: 0 }))).records;
  };
  const [named] = await read(1, [{ column: 'name', value: nameOrKey }]);
  if (named !== undefined) return named;
  const isKey = /^[1-9][0-9]{0,15}$/.test(nameOrKey);
  const [keyed] = isKey ? await read(1, [{ column: key, value: nameOrKey }]) : [];
  if (keyed !== undefined) return keyed;
  const names = (await read(comparedNames, [])).map((record) => String(record.name));
  const meant = didYouMean(nameOrKey, names);
  throw new TorcError('not_found', `workflow ${workflowKey} has no ${words} ${quoted(nameOrKey)}${meant}`, listed);
}
