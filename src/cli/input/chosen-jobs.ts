/** Jobs by what a person types: keys, names, patterns. */
import type { Api } from '../../api/contract.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow } from './workflow-key.ts';

export interface ChosenJobs {
  keys: string[];
  /** One job was named, not a pattern that matches one. */
  isSingle: boolean;
}

const keyPattern = /^[1-9][0-9]{0,15}$/;

/** Keys are those of any workflow; names and patterns those of the chosen one. Throws TorcError 'not_found'. */
export async function chooseJobs(context: Context, api: Api, words: readonly string[]): Promise<ChosenJobs> {
  if (words.every((word) => keyPattern.test(word))) return { keys: [...new Set(words)], isSingle: words.length === 1 };
  const workflow_key = await chooseWorkflow(context, api, null);
  const keys: string[] = [];
  for (const word of words) {
    if (keyPattern.test(word)) {
      keys.push(word);
      continue;
    }
    const filters = [{ column: 'name', value: word }];
    const request = { list: 'jobs', workflow_key, filters, sort_by: null, reverse: false, limit: 1, skip: 0 } as const;
    keys.push(...(await api.call('list', { ...request, filters })).records.map(({ job_key }) => String(job_key)));
  }
  return { keys, isSingle: words.length === 1 };
}
