/**
 * The workflow of a command: its argument, `-k`, `TORC_WORKFLOW_KEY`, the only one, or the answer to a question. `last`
 * is the newest one.
 */
import type { Api, ListRecord } from '../../api/contract.ts';
import { defaultWorkflowKey } from '../../base/config.ts';
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { cellText } from '../output/table.ts';
import { ask } from './ask.ts';

const shownWorkflows = 10;
const newest = 'last';
const workflowWords = 'workflow key';

/** The text if it is a key; throws TorcError 'usage'. */
export function checkedKey(text: string, what = workflowWords): string {
  if (/^[1-9][0-9]{0,15}$/.test(text)) return text;
  throw new TorcError(
    'usage',
    `'${text}' is not a ${what}`,
    `Keys are whole numbers, as the list commands print them${what === workflowWords ? `; ${newest} is the newest workflow` : ''}.`,
  );
}

/** The key from the command line or the environment, or null. Throws 'usage' when argument and option differ. */
export function statedKey(context: Context, positional: string | null): string | null {
  const stated = statedText(context, positional);
  return stated === null ? null : checkedKey(stated);
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
  return positional ?? option ?? defaultWorkflowKey(context.directory, context.env) ?? null;
}

/** The key of the workflow to use. Throws TorcError 'usage' when there are several, 'not_found' when there is none. */
export async function chooseWorkflow(context: Context, api: Api, positional: string | null): Promise<string> {
  const stated = statedText(context, positional);
  if (stated !== null && stated !== newest) return checkedKey(stated);
  const request = { list: 'workflows', workflow_key: null, filters: [], sort_by: null, reverse: true } as const;
  const { records, more } = await api.call('list', {
    ...request,
    filters: [{ column: 'is_archived', value: 'false' }, ...ofUser(context)],
    limit: shownWorkflows,
    skip: 0,
  });
  const [only] = records;
  if (only === undefined) {
    throw new TorcError(
      'not_found',
      `there is no workflow in ${context.directory}`,
      `${context.torc} workflows create SPEC`,
    );
  }
  if (records.length === 1 || stated === newest) return String(only.workflow_key);
  if (context.mayAsk) return askForWorkflow(context, records, more);
  throw new TorcError(
    'usage',
    'more than one workflow exists; choose one with -k',
    `Use -k KEY, -k ${newest} or TORC_WORKFLOW_KEY. Workflows: ${records.map(described).join('; ')}${more ? '; ..' : ''}`,
  );
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
