import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type SpooledReport, spoolLine } from '../../src/api/spool.ts';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import { createWorkflow, finished, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

function spooled(worker: TestWorker, attempt: number, returnCode: number): SpooledReport {
  const { attempt: _, start_age_ms: __, age_ms: ___, ...rest } = finished(attempt, returnCode);
  const now = Date.now();
  return { worker_id: worker.workerId, attempt, finished: rest, started_at_ms: now - 2000, ended_at_ms: now - 1000 };
}

it('what a dead worker spooled counts once, a cut record and a stranger not at all', async () => {
  const directory = temporaryDirectory();
  const first = await openService(directory, systemClock, 'test');
  const key = await createWorkflow(first, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[0, 2]]);
  const worker = await TestWorker.join(first, key, { cpus: 2 });
  const [a, b] = (await worker.exchange()).jobs;
  await first.close();

  const folder = join(directory, 'workers', worker.workerId);
  mkdirSync(folder, { recursive: true });
  const whole = spoolLine(spooled(worker, a?.attempt ?? 0, 0));
  const cut = spoolLine(spooled(worker, b?.attempt ?? 0, 0)).slice(0, -20);
  writeFileSync(join(folder, 'spool'), whole + cut);
  mkdirSync(join(directory, 'workers', 'f'.repeat(32)));
  writeFileSync(join(directory, 'workers', 'f'.repeat(32), 'spool'), spoolLine(spooled(worker, b?.attempt ?? 0, 0)));

  for (let pass = 0; pass < 2; pass++) {
    const again = await openService(directory, systemClock, 'test');
    expect(await statuses(again, key)).toEqual({ a: 'done', b: 'submitted_pending', c: 'ready' });
    expect(await rows(again, 'results', key)).toHaveLength(1);
    await again.close();
  }
  rmSync(directory, { recursive: true });
});
