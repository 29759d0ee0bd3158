/** `torc files delete`, `torc user-data delete`: one or several, by names, keys and patterns. */
import type { Api } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { selectParts } from '../input/name-or-key.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { askAboutPattern } from '../plans/chosen-jobs.ts';

interface Deletion<R extends { name: string }> {
  list: 'files' | 'user_data';
  /** What one and several of them are called. */
  words: readonly [one: string, several: string];
  remove(api: Api, key: string): Promise<R>;
  /** The line about one that is deleted. */
  done(name: string): string;
}

/** As JSON one is an object, several are a list. A pattern is shown and asked about first. */
export async function deleteParts<R extends { name: string }>(
  context: Context,
  words: readonly string[],
  { yes }: { yes?: boolean },
  { list, words: [one, several], remove, done }: Deletion<R>,
): Promise<void> {
  const deleted: R[] = [];
  await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, null);
    const { rows, hasPattern } = await selectParts(context, api, list, workflowKey, words);
    if (hasPattern && yes !== true && !context.isNoPrompts) {
      if (context.format !== 'json') context.terminal.err(rows.map(({ name }) => `${cellText(name)}\n`).join(''));
      await askAboutPattern(context, words, `delete ${counted(rows.length, one, several)} of workflow ${workflowKey}`);
    }
    for (const { key } of rows) deleted.push(await remove(api, key));
  });
  const [only, ...others] = deleted;
  const value = only !== undefined && others.length === 0 ? only : { [list]: deleted };
  await printResult(context, value, () => deleted.map(({ name }) => done(cellText(name))).join(''));
}
