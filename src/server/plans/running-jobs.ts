/** Which running jobs a restart keeps, and when it refuses because of one. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ClaimedJob } from '../../storage/runs/claimed-jobs.ts';
import { named } from './planning.ts';

/** A worker that is asked to stop a job and has not been heard from for longer than a poll takes does not respond. */
const responseMs = 45_000;

/** Whether `--force` gives this job up: its worker does not respond to being asked to stop it. */
function isGivenUp(job: ClaimedJob, request: Request<'workflow_restart'>, now: number): boolean {
  return request.force && job.isEnding && now - job.lastHeartbeatAt > responseMs;
}

/** A running job is kept on request; a silent one too, unless --force says that it is dead. */
export function isKept(job: ClaimedJob, request: Request<'workflow_restart'>): boolean {
  if (request.only_uninitialized) return true;
  if (job.process === 'gone') return false;
  return request.keep_running && !(request.force && job.process === 'lost_contact');
}

/** Whether a job counts as ended only because of `--force`. */
export function isTakenForDead(request: Request<'workflow_restart'>): (job: ClaimedJob) => boolean {
  return (job) => job.process !== 'gone' && !isKept(job, request);
}

export function refuseRunning(claimed: readonly ClaimedJob[], request: Request<'workflow_restart'>, now: number): void {
  if (request.assume_stopped && !request.dry_run) throw new TorcError('usage', 'only a dry run can assume anything');
  if (request.only_uninitialized || request.assume_stopped) return;
  if (request.keep_running) {
    const kept = claimed.filter((job) => isKept(job, request));
    refuseEnding(kept, request);
    return;
  }
  const running = claimed.filter((job) => job.process === 'running' && !isGivenUp(job, request, now));
  const silent = claimed.filter((job) => job.process === 'lost_contact');
  if (running.length > 0 && running.every((job) => job.isEnding) && request.force) {
    throw new TorcError(
      'conflict',
      `${counted(running.length, 'job')} of workflow ${request.workflow_key} ${running.length === 1 ? 'is' : 'are'} being stopped by a worker that was heard from in the last ${responseMs / 1000} s: ${named(running)}`,
      request.resume === undefined
        ? `torc workflows restart ${request.workflow_key} --stop-running --force --timeout ${(2 * responseMs) / 1000}`
        : `Add --resume-timeout ${(2 * responseMs) / 1000}.`,
    );
  }
  if (running.length > 0) {
    throw new TorcError(
      'conflict',
      `${counted(running.length, 'job')} of workflow ${request.workflow_key} still ${running.length === 1 ? 'runs' : 'run'}: ${named(running)}`,
      request.resume !== undefined
        ? '--keep-running lets them continue, --stop-running stops them first.'
        : request.recover !== undefined
          ? `--keep-running lets them continue; torc watch ${request.workflow_key} --recover recovers when the run has ended.`
          : request.after_reset === undefined
            ? '--keep-running lets them continue, --stop-running stops them first, --only-uninitialized starts only uninitialized jobs.'
            : `Leave out --restart. After the reset, type: torc workflows restart ${request.workflow_key} --only-uninitialized`,
    );
  }
  if (silent.length > 0 && !request.force) {
    throw new TorcError(
      'conflict',
      `${counted(silent.length, 'job')} may still be running, but contact with the worker is lost: ${named(silent)}`,
      request.resume !== undefined
        ? `See torc jobs diagnose -k ${request.workflow_key}. Use --force-cleanup when you know that they are dead, or --keep-running to leave them alone.`
        : request.after_reset === undefined
          ? 'See torc jobs diagnose. Use --force when you know that they are dead, or --keep-running to leave them alone.'
          : `Leave out --restart and see torc jobs diagnose -k ${request.workflow_key}. After the reset, when you know that they are dead, type: torc workflows restart ${request.workflow_key} --force`,
    );
  }
}

/** A job that was asked to stop cannot be kept: its end would count in the new run. */
function refuseEnding(kept: readonly ClaimedJob[], request: Request<'workflow_restart'>): void {
  const ending = kept.filter((job) => job.isEnding);
  if (ending.length === 0) return;
  const isSilent = ending.some((job) => job.process === 'lost_contact');
  throw new TorcError(
    'conflict',
    `${counted(ending.length, 'job')} of workflow ${request.workflow_key} ${ending.length === 1 ? 'is' : 'are'} being stopped and cannot be kept: ${named(ending)}`,
    isSilent
      ? `Try again when they have ended, or use ${request.resume === undefined ? '--force' : '--force-cleanup'} when you know that the silent ones are dead.`
      : request.recover === undefined
        ? 'Try again when they have ended, or let --stop-running wait for them.'
        : 'Try again when they have ended.',
  );
}
