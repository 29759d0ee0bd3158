/** `torc workflows graph`: from a stored workflow or a specification to DOT or SVG. */
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { buildGraph } from '../../model/graph/graph.ts';
import type { GroupedGraph } from '../../model/graph/grouped-graph.ts';
import { groupJobs } from '../../model/graph/job-groups.ts';
import { JobNames } from '../../model/graph/job-names.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { graphDot } from '../output/graph-dot.ts';
import { formatOf, type GraphFormat } from '../output/graph-format.ts';
import { graphFile } from '../output/graph-svg.ts';
import { printResult } from '../output/output.ts';
import { writeNamedFile } from '../output/written-file.ts';

export interface GraphOptions {
  spec?: string;
  format?: GraphFormat;
  output?: string;
}

export async function drawGraph(context: Context, key: string | null, options: GraphOptions): Promise<void> {
  if (options.spec !== undefined && key !== null) {
    throw new TorcError('usage', 'both a workflow and a specification were given', 'Give only one of them.');
  }
  const format = options.format ?? formatOf(options.output);
  const graph = options.spec === undefined ? await storedGraph(context, key) : await specGraph(context, options.spec);
  const picture = format === 'svg' ? graphFile(graph.name, graph) : graphDot(graph.name, graph);
  if (options.output === undefined) return printResult(context, graph, () => picture);
  writeNamedFile(options.output, picture);
  note(
    context,
    `${options.output}: ${counted(graph.num_jobs, 'job')} in ${counted(graph.groups.length, 'box', 'boxes')}`,
  );
  if (context.format === 'json') await printResult(context, graph, () => '');
}

type NamedGraph = GroupedGraph & { name: string; num_jobs: number };

function storedGraph(context: Context, key: string | null): Promise<NamedGraph> {
  return withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    return api.call('workflow_graph', { workflow_key });
  });
}

async function specGraph(context: Context, file: string): Promise<NamedGraph> {
  const { readWorkflow } = await import('../documents/read-spec.ts');
  const { workflow } = await readWorkflow(context, file);
  const { name, numJobs, numBarriers, edges, jobs } = workflow;
  const names = JobNames.of(Array.from(jobs, (job) => job.name));
  const graph = buildGraph(numJobs, numBarriers, edges);
  const counted = groupJobs({ numJobs, graph, names, countedAs: new Uint8Array(numJobs), words: ['not stored'] });
  // jobs of a specification have no status yet
  const groups = counted.groups.map((group) => ({ ...group, counts: {} }));
  return { name, num_jobs: numJobs, groups, edges: counted.edges };
}
