/** The jobs of a command: keys, names and patterns, all of one workflow. */
import type { Api } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { isPattern } from '../../model/pattern.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow, isWorkflowStated, type Use } from './workflow-key.ts';

export interface ChosenJobs {
  workflowKey: string;
  keys: string[];
  /** Names and patterns, for the server. */
  names: string[];
  /** Those of them that are patterns. */
  patterns: string[];
}

export function isKey(word: string): boolean {
  return /^[1-9][0-9]{0,15}$/.test(word);
}

/**
 * What is meant by these words, each once. Names and patterns are resolved where they are used. Throws 'not_found'
 * naming keys that do not exist, 'usage' when they belong to more than one workflow or not to the one given with `-k`.
 */
export async function chooseJobs(
  context: Context,
  api: Api,
  words: readonly string[],
  use: Use = 'changes',
): Promise<ChosenJobs> {
  const typed = [...new Set(words)];
  if (typed.includes('')) throw new TorcError('usage', 'the name of a job is empty', `${context.torc} jobs list`);
  const { found, unknown } = await workflowsOf(api, typed.filter(isKey));
  const isNamed = typed.length > found.size + unknown.length;
  const only = onlyWorkflow(found);
  const isStated = only !== null || isWorkflowStated(context) || isNamed;
  if (unknown.length > 0 && !isStated) throw noJobs(context, unknown);
  const workflowKey =
    only === null || context.workflowKey !== null ? await chooseWorkflow(context, api, null, use) : only;
  if (only !== null && only !== workflowKey) {
    throw new TorcError(
      'usage',
      `the jobs belong to workflow ${only}, not to ${workflowKey}`,
      'Leave out -k: the job keys say which workflow is meant.',
    );
  }
  // a name may look like a key
  if (unknown.length > 0) await refuseUnknown(context, api, workflowKey, unknown);
  const names = typed.filter((word) => !found.has(word));
  return { workflowKey, keys: [...found.keys()], names, patterns: names.filter(isPattern) };
}

/** The key of the one job that a word means; a number is not looked up. */
export async function chooseJob(context: Context, api: Api, word: string, use: Use = 'reads'): Promise<string> {
  if (isKey(word) && context.workflowKey === null) return word;
  const { keys } = await chosenJobKeys(context, api, [word], use);
  const [only = '', ...others] = keys;
  if (others.length === 0) return only;
  const shown = keys.slice(0, shownKeys).join(', ');
  throw new TorcError(
    'usage',
    `${word} means ${keys.length} jobs: ${shown}${keys.length > shownKeys ? ', ..' : ''}; this command takes one`,
    'Choose one by its key or name.',
  );
}

const shownKeys = 10;

/** The keys of all jobs that are meant, each once, where a request takes only keys. */
export async function chosenJobKeys(
  context: Context,
  api: Api,
  words: readonly string[],
  use: Use = 'changes',
): Promise<{ workflowKey: string; keys: string[]; patterns: string[] }> {
  const { workflowKey, keys, names, patterns } = await chooseJobs(context, api, words, use);
  if (names.length === 0) return { workflowKey, keys, patterns };
  const request = { list: 'jobs' as const, workflow_key: workflowKey, words: names, user: null };
  const { selected } = await api.call('select', request);
  const named = selected.flatMap(({ rows }) => rows.map(({ key }) => key));
  return { workflowKey, keys: [...new Set([...keys, ...named])], patterns };
}

export interface JobsToRead {
  keys: string[];
  /** One job was named, not a pattern that matches one. */
  isSingle: boolean;
}

/** The jobs of a command that only reads: keys may be those of several workflows, and are not looked up. */
export async function jobsToRead(context: Context, api: Api, words: readonly string[]): Promise<JobsToRead> {
  if (words.every(isKey) && context.workflowKey === null) {
    const keys = [...new Set(words)];
    return { keys, isSingle: keys.length === 1 };
  }
  const { keys, patterns } = await chosenJobKeys(context, api, words, 'reads');
  return { keys, isSingle: keys.length === 1 && patterns.length === 0 };
}

/** The workflow of each job, by the keys of jobs. */
async function workflowsOf(
  api: Api,
  jobKeys: readonly string[],
): Promise<{ found: Map<string, string>; unknown: string[] }> {
  const found = new Map<string, string>();
  for (let at = 0; at < jobKeys.length; at += limits.listPage) {
    const value = jobKeys.slice(at, at + limits.listPage).join(',');
    const { records } = await api.call('list', {
      list: 'jobs',
      workflow_key: null,
      filters: [{ column: 'job_key', value }],
      sort_by: null,
      reverse: false,
      limit: limits.listPage,
      skip: 0,
    });
    for (const { job_key, workflow_key } of records) found.set(String(job_key), String(workflow_key));
  }
  // in the order typed
  const ordered = jobKeys.flatMap((key): [string, string][] => {
    const workflow = found.get(key);
    return workflow === undefined ? [] : [[key, workflow]];
  });
  return { found: new Map(ordered), unknown: jobKeys.filter((key) => !found.has(key)) };
}

function onlyWorkflow(found: ReadonlyMap<string, string>): string | null {
  const workflows = new Map<string, string>();
  for (const [job, workflow] of found) if (!workflows.has(workflow)) workflows.set(workflow, job);
  const [only = null] = workflows.keys();
  if (workflows.size < 2) return only;
  const places = [...workflows].map(([workflow, job]) => `job ${job} to workflow ${workflow}`);
  throw new TorcError(
    'usage',
    `the jobs belong to ${workflows.size} workflows: ${firstOf(places)}`,
    'Give jobs of one workflow at a time.',
  );
}

async function refuseUnknown(context: Context, api: Api, workflowKey: string, words: readonly string[]): Promise<void> {
  const request = { list: 'jobs' as const, workflow_key: workflowKey, words: [...words], user: null };
  try {
    await api.call('select', request);
  } catch (error) {
    if (error instanceof TorcError && error.code === 'not_found') throw noJobs(context, words);
    throw error;
  }
}

function noJobs(context: Context, keys: readonly string[]): TorcError {
  const what = keys.length === 1 ? 'there is no job' : 'there are no jobs';
  return new TorcError('not_found', `${what} ${firstOf(keys)}`, `${context.torc} jobs list`);
}

function firstOf(words: readonly string[]): string {
  const most = 10;
  return words.length <= most ? words.join(', ') : `${words.slice(0, most).join(', ')} and ${words.length - most} more`;
}
