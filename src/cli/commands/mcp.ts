/** `torc mcp`. */
import type { Command } from 'commander';
import type { McpCommandOptions } from '../actions/mcp.ts';
import { type Act, examples } from './declare.ts';

export function declareMcp(program: Command, act: Act): void {
  const mcp = program
    .command('mcp')
    .description('let an assistant read workflows, plan changes and carry out plans that you agree to')
    .option('--read-only', 'only reading: no plans, no changes')
    .addHelpText(
      'after',
      `
Speaks the Model Context Protocol on stdin and stdout; an assistant starts it. It changes nothing without the
token of a plan that was shown. See docs/assistants.md.
${examples('torc mcp', 'torc --dir /project/torc mcp --read-only').trimStart()}`,
    );
  act(mcp, async (_words, self) => {
    const { serveAssistants } = await import('../actions/mcp.ts');
    return (context) => serveAssistants(context, self.opts<McpCommandOptions>());
  });
}
