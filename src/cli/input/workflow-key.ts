/**
 * The workflows of a command: its arguments, `-k`, `TORC_WORKFLOW_KEY`, the only one, the newest, or the answer to a
 * question. Each is a key, a name, a pattern, a range, a list of these (`3-7,9`), or `last`.
 */
import type { Api, ListRecord, Selection } from '../../api/contract.ts';
import { defaultWorkflowKey } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import { quoted } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { cellText } from '../output/table.ts';
import { ask } from './ask.ts';

/** What a command does to the workflow that it means: one that only reads may take the newest of several. */
export type Use = 'reads' | 'changes';

const shownWorkflows = 10;
const workflowWords = 'workflow key';

/** The text if it is a key; throws TorcError 'usage'. */
export function checkedKey(text: string, what = workflowWords): string {
  if (/^[1-9][0-9]{0,15}$/.test(text)) return text;
  throw new TorcError(
    'usage',
    `'${text}' is not a ${what}`,
    'Keys are whole numbers, as the list commands print them.',
  );
}

/** The key from the command line or the environment, or null. Throws 'usage' when argument and option differ. */
export function statedKey(context: Context, positional: string | null): string | null {
  const stated = statedText(context, positional);
  return stated === null ? null : checkedKey(stated);
}

/** Whether the command line or the environment says which workflow is meant. */
export function isWorkflowStated(context: Context): boolean {
  return statedText(context, null) !== null;
}

function statedText(context: Context, positional: string | null): string | null {
  const option = context.workflowKey;
  if (positional !== null && option !== null && positional !== option) {
    throw new TorcError(
      'usage',
      `two different workflows were given: ${positional} and ${option}`,
      'Give only one of them.',
    );
  }
  const stated = positional ?? option ?? defaultWorkflowKey(context.directory, context.env) ?? null;
  if (stated === '') throw new TorcError('usage', 'the workflow key is empty', `${context.torc} workflows list`);
  return stated;
}

/**
 * The key of the workflow to use. Throws TorcError 'usage' when several are meant and the command changes something,
 * 'not_found' when there is none.
 */
export async function chooseWorkflow(
  context: Context,
  api: Api,
  positional: string | null,
  use: Use = 'changes',
): Promise<string> {
  const stated = statedText(context, positional);
  if (stated === null) return unstated(context, api, use);
  const [selection] = await select(context, api, [stated]);
  const [only = '', ...others] = keysOf(selection);
  if (others.length === 0) return only;
  if (selection?.by === 'name') return oneOfName(context, api, selection, use);
  throw new TorcError(
    'usage',
    `${stated} means ${others.length + 1} workflows: ${shortened(keysOf(selection))}; this command takes one`,
    `Choose one with -k, such as -k ${only}.`,
  );
}

/** The workflows of a name, the newest first; throws as `chooseWorkflow` does for what means several others. */
export async function workflowsOfName(context: Context, api: Api, word: string): Promise<string[]> {
  const [selection] = await select(context, api, [word]);
  const keys = keysOf(selection);
  return selection?.by === 'name' || keys.length < 2 ? keys : [await chooseWorkflow(context, api, word, 'reads')];
}

export interface ChosenWorkflows {
  keys: string[];
  /** Whether a pattern chose some of them. */
  hasPattern: boolean;
}

/**
 * The keys of all workflows that are meant, each once. Of several with one name a list takes the newest, other reading
 * commands take all. Throws as `chooseWorkflow` does.
 */
export async function chooseWorkflows(
  context: Context,
  api: Api,
  positionals: readonly string[],
  use: Use | 'lists' = 'changes',
): Promise<ChosenWorkflows> {
  const reading = use === 'changes' ? use : 'reads';
  const stated = positionals.length > 1 ? null : statedText(context, positionals[0] ?? null);
  const words = positionals.length > 1 ? positionals : stated === null ? [] : [stated];
  if (words.length === 0) return { keys: [await unstated(context, api, reading)], hasPattern: false };
  const selected = await select(context, api, words);
  const keys = new Set<string>();
  for (const selection of selected) {
    const isAmbiguous = selection.by === 'name' && use !== 'reads' && selection.rows.length > 1;
    const meant = isAmbiguous ? [await oneOfName(context, api, selection, reading)] : keysOf(selection);
    for (const key of meant) keys.add(key);
  }
  return { keys: [...keys], hasPattern: selected.some(({ by }) => by === 'pattern') };
}

async function select({ userOption }: Context, api: Api, words: readonly string[]): Promise<Selection[]> {
  const request = { list: 'workflows' as const, workflow_key: null, words: [...words], user: userOption };
  return (await api.call('select', request)).selected;
}

function keysOf(selection: Selection | undefined): string[] {
  return selection?.rows.map(({ key }) => key) ?? [];
}

/** A name that several workflows have: the newest for reading, an error that lists their keys for changing. */
async function oneOfName(context: Context, api: Api, selection: Selection, use: Use): Promise<string> {
  const keys = keysOf(selection);
  const [newest = ''] = keys;
  if (use === 'reads') {
    noteNewest(context, newest, selection.word, `${keys.length} with this name`);
    return newest;
  }
  if (context.mayAsk) {
    const shown = { column: 'workflow_key', value: keys.slice(0, shownWorkflows).join(',') };
    const { records } = await newestWorkflows(api, [shown]);
    return askForWorkflow(context, records, keys.length > shownWorkflows);
  }
  throw new TorcError(
    'usage',
    `${keys.length} workflows have the name ${quoted(selection.word)}: ${shortened(keys)}`,
    `Choose one by its key, such as -k ${newest}.`,
  );
}

function shortened(keys: readonly string[]): string {
  const shown = keys.slice(0, shownWorkflows).join(', ');
  return keys.length > shownWorkflows ? `${shown}, ..` : shown;
}

async function newestWorkflows(api: Api, filters: { column: string; value: string }[]) {
  const request = { list: 'workflows', workflow_key: null, sort_by: null, reverse: true } as const;
  return api.call('list', { ...request, filters, limit: shownWorkflows, skip: 0 });
}

/** The only workflow, the newest one for reading, or the answer. */
async function unstated(context: Context, api: Api, use: Use): Promise<string> {
  const { records, more } = await newestWorkflows(api, [{ column: 'is_archived', value: 'false' }, ...ofUser(context)]);
  const [newest, ...others] = records;
  if (newest === undefined) {
    throw new TorcError(
      'not_found',
      `there is no workflow in ${context.directory}`,
      `${context.torc} workflows create SPEC`,
    );
  }
  const key = String(newest.workflow_key);
  if (others.length === 0) return key;
  if (use === 'reads') {
    noteNewest(context, key, String(newest.name), more ? `more than ${records.length}` : String(records.length));
    return key;
  }
  if (context.mayAsk) return askForWorkflow(context, records, more);
  throw new TorcError(
    'usage',
    'more than one workflow exists; choose one with -k',
    `Use -k KEY, -k NAME, -k last or TORC_WORKFLOW_KEY. Workflows: ${records.map(described).join('; ')}${more ? '; ..' : ''}`,
  );
}

function noteNewest(context: Context, key: string, name: string, count: string): void {
  note(context, `using workflow ${key} (${cellText(name)}), the newest of ${count}; choose another with -k`, 'warning');
}

/** With `-U`, only the workflows of that user. */
function ofUser({ userOption }: Context): { column: string; value: string }[] {
  return userOption === null ? [] : [{ column: 'user', value: userOption }];
}

function described(workflow: ListRecord): string {
  return `${workflow.workflow_key} (${cellText(workflow.name)})`;
}

async function askForWorkflow(context: Context, workflows: readonly ListRecord[], more: boolean): Promise<string> {
  const lines = workflows.map((workflow, at) => {
    const place = String(at + 1).padStart(String(workflows.length).length);
    return `  ${place}) ${cellText(workflow.name)} (key ${workflow.workflow_key}, ${cellText(workflow.status)})\n`;
  });
  const which = more ? `, the newest ${workflows.length}` : '';
  context.terminal.err(`Which workflow${which}?\n${lines.join('')}`);
  const answer = await ask(context, `Number (1 to ${workflows.length}): `);
  const chosen = /^[0-9]{1,4}$/.test(answer) ? workflows[Number(answer) - 1] : undefined;
  if (chosen === undefined) throw new TorcError('usage', `'${answer}' is not one of them`, 'Choose one with -k KEY.');
  return String(chosen.workflow_key);
}
