/** Lines of a status reply, for tests of what is shown of them. */
import type { StatusLine } from '../../src/api/contract.ts';

/** A workflow of three jobs, none of which has run. */
export function statusLine(about: Partial<StatusLine> = {}): StatusLine {
  return {
    ...{ workflow_key: '1', name: 'w', user: 'a', run_id: 1, status: 'running', has_ended: false, cut_off_by: null },
    is_paused: false,
    ...{ num_jobs: 3, num_done: 0, num_failed: 0, num_canceled: 0, num_terminated: 0, num_disabled: 0 },
    ...{ num_running: 0, num_ready: 3, num_blocked: 0, num_uninitialized: 0, num_lost: 0 },
    ...{ num_active_workers: 0, num_queued_allocations: 0, num_running_allocations: 0 },
    ...{ started_at: null, ended_at: null, recovers_at: null, jobs_per_second: null, eta_seconds: null },
    held_back: [],
    ...about,
  };
}
