/** `torc workflows graph` and `torc graphs plot`: the graph of a workflow's jobs. */
import type { Command } from 'commander';
import { oneOf } from '../input/options.ts';
import { type Act, examples } from '../program.ts';

export interface GraphOptions {
  spec?: string;
  format?: GraphFormat;
  output?: string;
}

export const graphFormats = ['dot', 'svg'] as const;
export type GraphFormat = (typeof graphFormats)[number];

export function declareGraphs(program: Command, act: Act): void {
  const group = program.command('graphs').description('pictures of workflows');
  declareGraph(group.command('plot'), 'torc graphs plot', act);
}

/** Makes `command` the one that draws. */
export function declareGraph(command: Command, name: string, act: Act): void {
  command
    .description('draw the graph of the jobs; many alike jobs become one box')
    .argument('[key]', 'workflow key (default: -k, TORC_WORKFLOW_KEY, or the only workflow)')
    .option('--spec <file>', 'draw a specification instead, without storing it')
    .option(
      '--format <format>',
      'dot or svg (default: by the name of -o: .dot, .gv, .svg; else dot)',
      oneOf(graphFormats, 'a format'),
    )
    .option('-o, --output <file>', 'write it to this file')
    .addHelpText(
      'after',
      examples(
        `${name} 7 -o graph.svg`,
        `${name} --spec workflow.yaml -o graph.svg`,
        `${name} 7 | dot -Tpdf > graph.pdf`,
      ),
    );
  act(command, async ([key], self) => {
    const { drawGraph } = await import('../actions/graphs.ts');
    return (context) => drawGraph(context, key ?? null, self.opts<GraphOptions>());
  });
}
