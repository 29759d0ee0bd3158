/** What to type when jobs ask for too much or too little. */
import type { UsageRow } from '../../api/contract.ts';

/** Null where no request of memory or runtime should change. `torc`: the program as it was called. */
export function correctionCommand(torc: string, workflowKey: string, usage: readonly UsageRow[]): string | null {
  const isCorrectable = usage.some(({ memory_bytes, runtime_seconds }) => {
    return memory_bytes.finding !== null || runtime_seconds.finding !== null;
  });
  return isCorrectable ? `${torc} workflows correct-resources ${workflowKey} --dry-run` : null;
}
