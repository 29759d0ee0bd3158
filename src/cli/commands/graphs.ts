/** `torc workflows graph` and `torc graphs plot`: the graph of a workflow's jobs. */
import type { Command } from 'commander';
import type { GraphOptions } from '../actions/graphs.ts';
import { oneOf } from '../input/options.ts';
import { graphFormats } from '../output/graph-format.ts';
import { keyArgument } from './arguments.ts';
import { type Act, examples } from './declare.ts';

export function declareGraphs(program: Command, act: Act): void {
  const group = program.command('graphs').description('draw workflows');
  declareGraph(group.command('plot'), 'torc graphs plot', act);
}

/** Makes `command` draw graphs. */
export function declareGraph(command: Command, name: string, act: Act): void {
  command
    .description('draw the graph of jobs; similar jobs are grouped')
    .argument('[key]', keyArgument)
    .option('--spec <file>', 'draw a specification instead, without storing it')
    .option(
      '--format <format>',
      'dot or svg (default: from the extension of -o, else dot)',
      oneOf(graphFormats, 'a format'),
    )
    .option('-o, --output <file>', 'write to this file')
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
