/** Finds rows by names, keys and patterns; if a name and a key match, the name counts. */
import type { Api, ListRecord, Selectable } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { listRequest } from './filters.ts';

const kinds = {
  files: { key: 'file_key', words: 'file', command: 'files list' },
  user_data: { key: 'user_data_key', words: 'user data', command: 'user-data list' },
  slurm_configs: { key: 'slurm_config_key', words: 'Slurm config', command: 'hpc slurm list-configs' },
  resource_requirements: {
    key: 'resource_requirements_key',
    words: 'resource requirements',
    command: 'resource-requirements list',
  },
} as const satisfies Partial<Record<Selectable, object>>;
type Kind = keyof typeof kinds;

/** The record of the workflow with this name, else the one with this key. Throws TorcError 'usage' or 'not_found'. */
export async function findByNameOrKey(
  context: Context,
  api: Api,
  list: Kind,
  workflowKey: string,
  nameOrKey: string,
): Promise<ListRecord> {
  const { rows } = await selectParts(context, api, list, workflowKey, [nameOrKey]);
  const [only, ...others] = rows;
  if (only === undefined || others.length > 0) {
    const { words, command } = kinds[list];
    const names = rows.map(({ name }) => name).join(', ');
    const hint = `${context.torc} -k ${workflowKey} ${command}`;
    throw new TorcError('usage', `${nameOrKey} means ${rows.length} ${words}: ${names}; this command takes one`, hint);
  }
  const filter = [{ column: kinds[list].key, value: only.key }];
  const request = listRequest(list, workflowKey, { filter, excludeColumn: [] }, { limit: 1, skip: 0 });
  const [record] = (await api.call('list', request)).records;
  if (record !== undefined) return record;
  throw new TorcError('not_found', `${kinds[list].words} ${only.name} of workflow ${workflowKey} has been deleted`);
}

/** The rows of a workflow that these words mean, each once, and whether a pattern chose some. Throws as above. */
export async function selectParts(
  context: Context,
  api: Api,
  list: Kind,
  workflowKey: string,
  words: readonly string[],
): Promise<{ rows: { key: string; name: string }[]; hasPattern: boolean }> {
  const { words: what, command } = kinds[list];
  if (words.includes('')) {
    throw new TorcError('usage', `the name of the ${what} is empty`, `${context.torc} -k ${workflowKey} ${command}`);
  }
  const { selected } = await api.call('select', { list, workflow_key: workflowKey, words: [...words], user: null });
  const rows = new Map(selected.flatMap((each) => each.rows).map((row) => [row.key, row]));
  return { rows: [...rows.values()], hasPattern: selected.some(({ by }) => by === 'pattern') };
}
