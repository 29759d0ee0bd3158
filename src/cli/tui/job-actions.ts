/** What can be done to a job as it is. */
import type { ListRecord } from '../../api/contract.ts';
import { cancelingJob, holding } from './planned-action.ts';
import type { KeyHelp, Step } from './view.ts';

const waiting: readonly unknown[] = ['uninitialized', 'blocked', 'ready'];
const running: readonly unknown[] = ['submitted', 'submitted_pending'];

function jobActions({ job_key, status, held }: Readonly<Record<string, unknown>>) {
  const key = String(job_key);
  const isHeld = held === true;
  const waits = waiting.includes(status);
  return [
    ...(isHeld || waits ? [{ key: 'h', word: isHeld ? 'release' : 'hold', action: holding(key, isHeld) }] : []),
    ...(waits || running.includes(status) ? [{ key: 'c', word: 'cancel', action: cancelingJob(key) }] : []),
  ];
}

export function jobKeys(job: ListRecord): KeyHelp[] {
  return jobActions(job).map(({ key, word, action }) => ({ key, word, help: `torc ${action.typed}` }));
}

/** What a key does to a job. */
export function jobStep(job: ListRecord, pressed: string): Step | null {
  const chosen = jobActions(job).find(({ key }) => key === pressed);
  return chosen === undefined ? null : { kind: 'plan', action: chosen.action };
}
