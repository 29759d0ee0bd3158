/** Options of the commands that make a workflow: what its jobs ask for follows from what earlier ones have used. */
import type { Command } from 'commander';
import { TorcError } from '../../base/errors.ts';

export interface AutoSizeOptions {
  autoSize?: boolean;
  /** A workflow, as typed. */
  autoSizeFrom?: string;
}

export function addAutoSizeOptions(command: Command): Command {
  return command
    .option('--auto-size', 'request what jobs of your earlier workflows with this name used (p95 times 1.2)')
    .option('--auto-size-from <key>', 'the same, from what the jobs of this workflow used');
}

/** Why commands that store a specification for later do not take them; null for others. `path`: of the command, as typed. */
export function refusedAutoSize(sentence: string, path: string): TorcError | null {
  const option = /^unknown option '(--auto-size(?:-from)?)/.exec(sentence)?.[1];
  const group = /^torc (schedules|generators)\b/.exec(path)?.[1];
  if (option === undefined || group === undefined) return null;
  const what = group === 'schedules' ? 'schedule' : 'generator';
  const why = `a ${what} keeps its specification, and all its workflows ask for what is written there`;
  const then = group === 'schedules' ? '; then torc schedules modify NAME --spec SPEC' : '';
  const hint = `torc reports resources KEY proposes what to write, from what the jobs of an earlier workflow used${then}`;
  return new TorcError('usage', `${option} is not for ${group}: ${why}`, hint);
}
