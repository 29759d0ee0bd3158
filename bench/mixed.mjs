// A database as people have it in the middle of their work: one large workflow with jobs in every state, and others.
import { createNoops, exchangeRequest, runSimulatedWorker, sayHello } from './simulated.mjs';

/** A reproducible sequence of numbers from 0 up to 1. */
function sequence(seed) {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

/**
 * Creates a small workflow, the large one, one of a tenth of its size and another small one; returns the key of the large
 * one. A third of its jobs wait; the others have ended, 3 in 100 of them with an error, and some of those run again. Each
 * of the last tenth depends on another job. 200 run, 1,000 (or fewer) are held and canceled.
 */
export async function createMixed(service, numJobs) {
  const next = sequence(1);
  let index = 0;
  const workOff = async (key, most) => {
    const id = await sayHello(service, key, { index: index++, slots: 200 });
    await runSimulatedWorker(service, id, {
      most,
      returnCodeOf: () => (next() < 0.03 ? 1 + Math.floor(next() * 2) : 0),
      usageOf: () => ({
        exec_ms: Math.floor(next() * 10_000),
        peak_memory_bytes: Math.floor(next() * 2 ** 32),
        average_memory_bytes: 2 ** 20,
        cpu_ms: 10,
      }),
    });
  };
  await workOff(await createNoops(service, 100), 100);
  const options = { shapes: 8, width: numJobs * 0.9, ofJob: (job) => ({ priority: job % 5 }) };
  const key = await createNoops(service, numJobs, options);
  await workOff(key, numJobs * 0.6);
  const jobs = async (column, value) => {
    const filters = [{ column, value }];
    const request = { list: 'jobs', workflow_key: key, filters, sort_by: null, reverse: false, limit: 2000, skip: 0 };
    return (await service.call('list', request)).records.map((job) => job.job_key);
  };
  const plan = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
  const some = Math.min(1000, numJobs / 100);
  await service.call('jobs_reset', { ...plan, which: (await jobs('outcome', 'failed')).slice(0, some) });
  await service.call('workflow_restart', {
    ...plan,
    ignore_missing_data: true,
    only_uninitialized: true,
    keep_running: true,
    force: false,
    assume_stopped: false,
    working_directory: '/',
  });
  await workOff(key, some);
  const ready = await jobs('status', 'ready');
  await service.call('jobs_hold', { ...plan, job_keys: ready.slice(0, some), hold: true });
  await service.call('jobs_cancel', { ...plan, job_keys: ready.slice(some, 2 * some) });
  const busy = await sayHello(service, key, { index: index++, slots: 200 });
  await service.call('exchange', exchangeRequest(busy, {}));
  await workOff(await createNoops(service, numJobs / 10, { shapes: 2 }), numJobs / 20);
  await workOff(await createNoops(service, 100), 50);
  return key;
}
