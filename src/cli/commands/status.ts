/** `torc status`, `watch`, `wait`: how workflows stand. */
import type { Command } from 'commander';
import type { StatusOptions } from '../actions/status.ts';
import { wholeNumber } from '../input/options.ts';
import { type Act, examples } from './declare.ts';

export function declareStatus(program: Command, act: Act): void {
  const status = program
    .command('status')
    .description('show how workflows stand: a line for each, or the page of one')
    .argument(
      '[keys...]',
      'keys, names, ranges, patterns; one workflow shows its page (default: all that are not archived)',
    )
    .option('-a, --all', 'all workflows, even if -k or TORC_WORKFLOW_KEY names one')
    .option('-l, --limit <n>', 'show at most this many, the newest ones (default: 20)', wholeNumber('--limit', 1))
    .addHelpText(
      'after',
      `
A bar shows jobs that succeeded (#), failed or never ran (x), are running (>) and are left (.). The time left is an estimate: the
jobs that have still to end, divided by how many ended in a second lately (the last hundred ends of the run). The page of
a workflow shows what holds jobs back, how jobs failed with their last lines, and what to type next.
${examples('torc status', 'torc status 7', 'torc -F json status 7 | jq .eta_seconds').trimStart()}`,
    );
  act(status, async (keys, self) => {
    const { showStatus } = await import('../actions/status.ts');
    return (context) => showStatus(context, keys, self.opts<StatusOptions>());
  });
}
