/** Options of the commands that make a workflow: what its jobs ask for follows from what earlier ones have used. */
import type { Command } from 'commander';

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
