/** `torc dash`. */
import type { Command } from 'commander';
import type { DashOptions } from '../actions/dash.ts';
import { wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareDash(program: Command, act: Act): void {
  const dash = program
    .command('dash')
    .description('look at workflows in a browser: progress, failures, jobs, logs')
    .argument('[key]', 'key or name of the workflow to begin with (default: all of them)')
    .option('--port <n>', 'port on 127.0.0.1 (default: a free one)', wholeNumber('--port', 1, 65_535))
    .option('--no-open', 'only print the link; do not start a browser')
    .addHelpText(
      'after',
      `
Prints a link that logs one browser in, once, and an ssh command for a browser on another machine. The
dashboard listens only on 127.0.0.1 of this host and ends with Ctrl-C; workflows go on. See docs/dashboard.md.
${examples('torc dash', 'torc dash 7 --port 8700 --no-open').trimStart()}`,
    );
  act(dash, async ([key], self) => {
    const { showDashboard } = await import('../actions/dash.ts');
    return (context) => showDashboard(context, key ?? null, self.opts<DashOptions>());
  });
}
