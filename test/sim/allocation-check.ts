/** An allocation that Slurm has not started yet does not count as over, whatever its lists leave out. */
import type { Service } from '../../src/server/service.ts';
import type { Check } from './check.ts';
import type { Slurm } from './slurm.ts';

export class AllocationCheck {
  readonly #slurm: Slurm;
  readonly #check: Check;

  constructor(slurm: Slurm, check: Check) {
    this.#slurm = slurm;
    this.#check = check;
  }

  look(service: Service | null): void {
    const waiting = this.#slurm.allocations.filter(({ state, starts }) => state === 'PENDING' && starts.length === 0);
    if (service === null || waiting.length === 0) return;
    const over = service.db.all(
      `SELECT slurm_job_id FROM allocations WHERE status IN ('ended', 'refused') AND slurm_job_id IS NOT NULL`,
    );
    for (const { id } of waiting) {
      if (over.some((row) => row.slurm_job_id === id))
        this.#check.broken.push(`allocation ${id} waits but counts as over`);
    }
  }
}
