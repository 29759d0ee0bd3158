/** Checks an expanded workflow and sends it to the server, for the place where the command runs. */

import type { Api, Reply } from '../../api/contract.ts';
import { type ActionPlace, configOf, storeInChunks } from '../../api/creation.ts';
import { outputDirectory } from '../../base/config.ts';
import { growthOfCreation, withSmallHeap } from '../../base/heap.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { quoted } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { checkConfig } from '../input/slurm-config.ts';

/** Throws TorcError 'usage' for values that an sbatch script cannot contain. */
export async function checkStorable(workflow: ExpandedWorkflow): Promise<void> {
  for (const scheduler of workflow.schedulers) await checkConfig(configOf(scheduler));
}

/** At most this many jobs with unused parameters in braces are named. */
const shownUnused = 5;

/** Prints notes on parts of a specification that have no effect: unneeded here, or possibly forgotten. */
export function noteWithoutEffect(context: Context, workflow: ExpandedWorkflow): void {
  for (const line of workflow.notes ?? []) note(context, line);
  noteExpandedPaths(context, workflow);
  if (workflow.numJobs === 0) note(context, 'the workflow has no jobs; it can start once some are added', 'warning');
  const unused = workflow.unusedParameters;
  for (const { job, parameters } of unused.slice(0, shownUnused)) {
    const braced = parameters.map((name) => `{${name}}`).join(', ');
    const what = `${parameters.length > 1 ? 'parameters' : 'a parameter'} of the workflow that it does not use`;
    const remedy = `add use_parameters: [${parameters.join(', ')}]`;
    note(context, `job ${quoted(job)} contains ${braced}, ${what}; ${remedy}`, 'warning');
  }
  if (unused.length > shownUnused)
    note(context, `and ${counted(unused.length - shownUnused, 'more such job')}`, 'warning');
  for (const { name, labels, alsoUnlabelled } of workflow.schedulers) {
    if (alsoUnlabelled !== true || labels !== undefined) continue;
    note(context, `also_unlabelled of Slurm config ${quoted(name)} has no effect: its workers are given no labels.`);
  }
}

/** Paths are fixed now: a variable that has another value on a node does not change them. */
function noteExpandedPaths(context: Context, { files }: ExpandedWorkflow): void {
  const expanded = files.filter(({ written }) => written !== undefined);
  for (const { name, path, written = '' } of expanded.slice(0, shownUnused)) {
    note(context, `file ${quoted(name)}: ${quoted(written)} is ${path}`);
  }
  if (expanded.length > shownUnused) note(context, `and ${counted(expanded.length - shownUnused, 'more such path')}`);
}

/** Stores the workflow; `onProgress` receives the number of stored jobs. */
export function createWorkflow(
  api: Api,
  workflow: ExpandedWorkflow,
  onProgress: (numJobs: number) => void = () => {},
  place: ActionPlace = actionPlace(),
): Promise<Reply<'workflow_create_finish'>> {
  return withSmallHeap(growthOfCreation, () => storeInChunks(api, workflow, place, onProgress));
}

/** Here. */
export function actionPlace(): ActionPlace {
  return { workingDirectory: process.cwd(), outputDirectory: outputDirectory(undefined) };
}
