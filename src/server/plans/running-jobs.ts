/** Which running jobs a restart keeps, and when it refuses because of one. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ClaimedJob } from '../../storage/runs/restart.ts';
import { named } from './planning.ts';

/** A running job goes on when that was asked for; one that fell silent, unless it was said that such jobs are dead. */
export function isKept(job: ClaimedJob, request: Request<'workflow_restart'>): boolean {
  if (request.only_uninitialized) return true;
  if (job.process === 'gone') return false;
  return request.keep_running && !(request.force && job.process === 'lost_contact');
}

export function refuseRunning(claimed: readonly ClaimedJob[], request: Request<'workflow_restart'>): void {
  if (request.assume_stopped && !request.dry_run) throw new TorcError('usage', 'only a dry run can assume anything');
  if (request.only_uninitialized || request.assume_stopped) return;
  if (request.keep_running) {
    const kept = claimed.filter((job) => isKept(job, request));
    refuseEnding(kept, request);
    return;
  }
  const running = claimed.filter((job) => job.process === 'running');
  const silent = claimed.filter((job) => job.process === 'lost_contact');
  if (running.length > 0) {
    throw new TorcError(
      'conflict',
      `${counted(running.length, 'job')} of workflow ${request.workflow_key} still ${running.length === 1 ? 'runs' : 'run'}: ${named(running)}`,
      request.after_reset === undefined
        ? '--keep-running lets them go on, --stop-running stops them first, --only-uninitialized leaves all others alone.'
        : `Leave out --restart and type after the reset: torc workflows restart ${request.workflow_key} --only-uninitialized`,
    );
  }
  if (silent.length > 0 && !request.force) {
    throw new TorcError(
      'conflict',
      `contact to the worker of ${counted(silent.length, 'job')} is lost, and nothing shows that they have ended: ${named(silent)}`,
      request.after_reset === undefined
        ? 'Look with torc jobs diagnose; --force when you know that they are dead, --keep-running to leave them alone.'
        : `Leave out --restart and look with torc jobs diagnose -k ${request.workflow_key}; after the reset, when you know that they are dead: torc workflows restart ${request.workflow_key} --force`,
    );
  }
}

/** A job that was asked to end cannot be kept: its end would decide over the new run. */
function refuseEnding(kept: readonly ClaimedJob[], request: Request<'workflow_restart'>): void {
  const ending = kept.filter((job) => job.isEnding);
  if (ending.length === 0) return;
  const isSilent = ending.some((job) => job.process === 'lost_contact');
  throw new TorcError(
    'conflict',
    `${counted(ending.length, 'job')} of workflow ${request.workflow_key} ${ending.length === 1 ? 'is' : 'are'} being stopped and cannot be kept: ${named(ending)}`,
    isSilent
      ? 'Try again when that has ended, or with --force when you know that those out of contact are dead.'
      : 'Try again when that has ended, or wait for it with --stop-running.',
  );
}
