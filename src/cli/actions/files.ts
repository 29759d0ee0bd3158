/** `torc files add|delete`. */
import { TorcError } from '../../base/errors.ts';
import { expandPath, PathProblem } from '../../model/expand/file-paths.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { pathPlace } from '../documents/read-spec.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { deleteParts } from './part-deletion.ts';

export async function addFile(context: Context, name: string, typed: string): Promise<void> {
  for (const [what, value] of Object.entries({ 'the name': name, '--path': typed })) {
    if (value === '') throw new TorcError('usage', `${what} is empty`, 'Every file has a name and a path.');
  }
  const path = fixedPath(context, typed);
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, null);
    const added = await api.call('file_add', { workflow_key, name, path });
    await printResult(context, { ...added, workflow_key, name, path }, () => {
      return `added file ${cellText(name)} (key ${added.file_key}) to workflow ${workflow_key}\n`;
    });
  });
}

/** Expanded once, as in a specification. */
function fixedPath(context: Context, typed: string): string {
  try {
    return expandPath(typed, pathPlace(context));
  } catch (error) {
    if (!(error instanceof PathProblem)) throw error;
    throw new TorcError('usage', error.message, null);
  }
}

export async function deleteFiles(
  context: Context,
  words: readonly string[],
  options: { yes?: boolean },
): Promise<void> {
  await deleteParts(context, words, options, {
    list: 'files',
    words: ['file', 'files'],
    remove: (api, file_key) => api.call('file_delete', { file_key }),
    done: (name) => `removed file ${name} from the workflow\n`,
  });
}
