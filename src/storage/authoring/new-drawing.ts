/** The groups in which the jobs of a new workflow are drawn. */
import { drawJobs } from '../../model/graph/job-groups.ts';
import { JobNames } from '../../model/graph/job-names.ts';
import type { Transaction } from '../database/transaction.ts';
import { areOfOneWord, storeDrawing } from '../running/drawings.ts';
import { jobTexts, keysFrom, readGraph } from '../running/job-graph.ts';
import type { Workflow } from '../running/workflows.ts';

/** Smaller workflows are read so fast that their creation need not take longer. */
export const fewestDrawn = 80_000;

/** Stores them, unless all jobs are alike. The jobs, barriers and edges must be stored, without a cycle. */
export function drawNew(
  tx: Transaction,
  {
    workflowKey,
    firstJobKey,
    numSpecJobs,
    firstBarrierKey,
    numBarriers,
  }: Pick<Workflow, 'workflowKey' | 'firstJobKey' | 'numSpecJobs' | 'firstBarrierKey' | 'numBarriers'>,
): void {
  const keys = keysFrom(firstJobKey, firstJobKey + numSpecJobs - 1);
  const barrierKeys = keysFrom(firstBarrierKey, firstBarrierKey + numBarriers - 1);
  const graph = readGraph(tx, keys, barrierKeys);
  if (graph.targets.length === 0 && areOfOneWord(tx, workflowKey)) return;
  const names = new JobNames(numSpecJobs);
  for (const part of jobTexts(tx, workflowKey, keys, 'j.name')) names.addAll(part);
  const countedAs = new Uint8Array(numSpecJobs);
  const drawn = drawJobs({ numJobs: numSpecJobs, graph, names, countedAs, words: ['job'] });
  storeDrawing(tx, { workflowKey, firstJobKey }, drawn);
}
