/** `torc doctor`: a line for each thing that torc needs, ok or with what to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { exitCodes } from '../../base/errors.ts';
import { programEnvironment, programPath } from '../../base/program.ts';
import { counted } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import { printResult } from '../output/output.ts';
import { wrapped } from '../output/width.ts';
import { checkNames, type Finding, failed } from './doctor-findings.ts';

export interface DoctorOptions {
  /** It is the process that carries out these checks and prints a line of JSON for each. */
  checks?: string;
  /** It is the process that says whether it sees the lock of this file. */
  locked?: string;
}

interface Named extends Finding {
  check: string;
}

/** A check that takes longer hangs: a file system or a command does not answer. */
const longestCheckMs = 20_000;

/** Returns 5 when something has failed. */
export async function runDoctor(context: Context, options: DoctorOptions): Promise<number> {
  if (options.locked !== undefined) {
    const { isLocked } = await import('../../server/owner/inspection.ts');
    await context.terminal.out(`${isLocked(options.locked)}\n`);
    return 0;
  }
  if (options.checks !== undefined) return carryOut(context, options.checks.split(','));
  const findings: Named[] = [];
  for await (const finding of findingsOf(context)) {
    findings.push(finding);
    if (context.format === 'text') await context.terminal.out(lineOf(finding, context));
  }
  const numFailed = findings.filter(({ status }) => status === 'failed').length;
  const numWarnings = findings.filter(({ status }) => status === 'warning').length;
  const value = { checks: findings, num_failed: numFailed, num_warnings: numWarnings };
  const counts = [
    ...(numFailed === 0 ? [] : [counted(numFailed, 'problem')]),
    ...(numWarnings === 0 ? [] : [counted(numWarnings, 'warning')]),
  ];
  await printResult(context, value, () => (counts.length === 0 ? 'everything is ok\n' : `${counts.join(', ')}\n`));
  return numFailed > 0 ? exitCodes.unusable : 0;
}

/** What each check finds. */
export async function doctorFindings(context: Context): Promise<Named[]> {
  const findings: Named[] = [];
  for await (const finding of findingsOf(context)) findings.push(finding);
  return findings;
}

async function carryOut(context: Context, names: readonly string[]): Promise<number> {
  const { findingOf } = await import('./doctor-checks.ts');
  for (const check of names) {
    const finding = await findingOf(check, context);
    if (!(await context.terminal.out(`${JSON.stringify({ check, ...finding })}\n`))) break;
  }
  return 0;
}

const widest = Math.max(...checkNames.map((name) => name.length));

/** On a terminal it goes on below what was found. */
export function lineOf({ check, status, found, advice }: Named, { terminal }: Pick<Context, 'terminal'>): string {
  const before = `${status.padEnd(9)}${check.padEnd(widest + 2)}`;
  const width = terminal.isStdoutTerminal ? terminal.columns() - before.length : Number.POSITIVE_INFINITY;
  const lines = [found, ...(advice === null ? [] : [advice])].flatMap((text) => wrapped(text, width));
  return `${before}${lines.join(`\n${' '.repeat(before.length)}`)}\n`;
}

/** A process does them, because one that hangs in the file system cannot be interrupted; the next one does the others. */
async function* findingsOf(context: Context): AsyncGenerator<Named> {
  let left: readonly string[] = checkNames;
  while (left.length > 0) {
    const [first = ''] = left;
    const part = startChecks(context, left);
    const hanging = new AbortController();
    // only a process that is waited for counts in the processor time of this one
    const ended = once(part, 'exit', { signal: hanging.signal }).catch(() => {});
    const lines = createInterface({ input: part.stdout });
    let cancel = () => {};
    const watch = () => {
      cancel();
      cancel = context.clock.after(longestCheckMs, () => {
        hanging.abort();
        part.kill('SIGKILL');
        // killing does not end a process that waits for a file system
        part.unref();
        part.stdout.destroy();
        lines.close();
      });
    };
    watch();
    let numDone = 0;
    for await (const line of lines) {
      watch();
      yield JSON.parse(line) as Named;
      numDone += 1;
    }
    await ended;
    cancel();
    left = left.slice(numDone);
    const [stuck] = left;
    if (stuck === undefined) break;
    const found = hanging.signal.aborted
      ? `no answer in ${longestCheckMs / 1000} s`
      : `the check ended before it was done`;
    yield {
      check: stuck,
      ...failed(found, stuck === first ? 'Try again; see whether the file system answers: ls' : 'Try again.'),
    };
    left = left.slice(1);
  }
}

function startChecks(context: Context, names: readonly string[]) {
  const words = ['--dir', context.directory, 'doctor', '--checks', names.join(',')];
  return spawn(process.execPath, [programPath(), ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: programEnvironment(context.env),
  });
}
