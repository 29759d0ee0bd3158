/** `torc status`, `watch`, `wait`, `why`: how workflows and jobs stand. */
import type { Command } from 'commander';
import type { StatusOptions } from '../actions/status.ts';
import type { WaitOptions } from '../actions/watch.ts';
import { someTime, wholeNumber } from '../input/options.ts';
import { maxRecoveriesOption, readFactor } from '../input/recovery-options.ts';
import type { RecoveryOptions } from '../input/recovery-settings.ts';
import { type Act, examples } from './declare.ts';

export function declareStatus(program: Command, act: Act): void {
  const status = program
    .command('status')
    .description('show how workflows are doing: a line for each, or the page of one')
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
jobs that have not ended, divided by the recent rate (of the last hundred jobs that ended in this run). The page of
a workflow shows what holds jobs back, how jobs failed with their last lines, and what to type next.
${examples('torc status', 'torc status 7', 'torc -F json status 7 | jq .eta_seconds').trimStart()}`,
    );
  act(status, async (keys, self) => {
    const { showStatus } = await import('../actions/status.ts');
    return (context) => showStatus(context, keys, self.opts<StatusOptions>());
  });
  declareTui(program, act);
  declareWatch(program, act);
  declareWait(program, act);
  declareWhy(program, act);
}

function declareTui(program: Command, act: Act): void {
  const tui = program
    .command('tui')
    .description('look at workflows, jobs and logs on the whole terminal, and act on them')
    .argument('[key]', 'workflow key or name (default: the list of workflows)')
    .addHelpText(
      'after',
      `
Arrow keys or j and k move, Enter opens, Esc goes back, ? lists the keys, q or Ctrl-C ends it; the last line names the keys. Everything
is live. Actions (rerun failed jobs, recover, restart, cancel, pause, hold, schedule nodes, autoscale) show their plan, and change
nothing before you answer y. Without a terminal: torc status, torc watch.
${examples('torc tui', 'torc tui 7').trimStart()}`,
    );
  act(tui, async ([key]) => {
    const { showTerminalView } = await import('../tui/app.ts');
    return (context) => showTerminalView(context, key ?? null);
  });
}

const endings = `Ends as torc run does: with 0 when every job succeeded, with 1 when jobs failed or the workflow was canceled, with 8 when the
timeout of the run ended it. Ends with 4 when nothing runs before somebody starts or restarts the workflow, and says what to type.`;

function declareWatch(program: Command, act: Act): void {
  const watch = program
    .command('watch')
    .description('follow workflows until their runs have ended')
    .argument('[keys...]', 'workflow keys')
    .option('-r, --recover', 'let them recover by themselves when a run fails, as torc recover does')
    .addOption(maxRecoveriesOption())
    .option(
      '--memory-multiplier <factor>',
      'with --recover: for jobs that ran out of memory (default: 1.5)',
      readFactor,
    )
    .option('--runtime-multiplier <factor>', 'with --recover: for jobs that ran out of time (default: 1.5)', readFactor)
    .option('--retry-unknown', 'with --recover: run jobs again that failed for other reasons')
    .addHelpText(
      'after',
      `
On a terminal: the page of the workflow (a table of several), redrawn in place; q or Ctrl-C ends watching, not the work (exit
code 130). In a pipe: a line for each change, at most one a second; with -F json a JSON object for each. Goes on while the server
is away or restarts. ${endings}

--recover is stored with the workflow: the server recovers it even when nobody watches any more; without a server, this command
does. Each recovery is an event (workflow_recovered). torc workflows modify KEY --max-recoveries 0 turns it off.
${examples(
  'torc watch',
  'torc watch 7',
  'torc watch 7 --recover --max-recoveries 5',
  'torc watch 7 8 | tee watch.log',
  'torc -F json watch 7 | jq .num_done',
).trimStart()}`,
    );
  act(watch, async (keys, self) => {
    const { watchWorkflows } = await import('../actions/watch.ts');
    return (context) => watchWorkflows(context, keys, self.opts<RecoveryOptions>());
  });
}

function declareWait(program: Command, act: Act): void {
  const wait = program
    .command('wait')
    .description('wait until the runs of workflows have ended, without output')
    .argument('[keys...]', 'workflow keys')
    .option('--timeout <duration>', 'wait no longer than this, such as 2h; then end with 8', someTime)
    .addHelpText(
      'after',
      `
${endings} What a workflow lacks, such as a worker, is said once on stderr. It also ends with 8 when --timeout is over, and says so.
${examples('torc wait 7 && torc results list -k 7', 'torc wait 7 --timeout 2h || echo "not done"').trimStart()}`,
    );
  act(wait, async (keys, self) => {
    const { waitForWorkflows } = await import('../actions/watch.ts');
    return (context) => waitForWorkflows(context, keys, self.opts<WaitOptions>());
  });
}

function declareWhy(program: Command, act: Act): void {
  const why = program
    .command('why')
    .description('say why jobs do not run or ended as they did, with the commands that help')
    .argument('<jobs...>', 'job keys, names or patterns')
    .addHelpText('after', examples('torc why 12', "torc why -k 7 'sim_*'", 'torc -F json why 12 | jq .reasons'));
  act(why, async (jobs) => {
    const { explainJobs } = await import('../actions/why.ts');
    return (context) => explainJobs(context, jobs);
  });
}
