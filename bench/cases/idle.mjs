// Processor time of a worker and of its server while there is nothing to do.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { cpuSeconds, inDirectory, repeat, startWorker, timeTorc, until, withServer } from '../support.mjs';

/** Percent of one core over `seconds`, after the only job is done. */
async function measure(seconds) {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'one.json');
    const jobs = [{ name: 'only', command: 'true' }];
    writeFileSync(spec, JSON.stringify({ name: 'idle', compute_node_ignore_workflow_completion: true, jobs }));
    return await withServer(directory, async ({ api, pid }) => {
      const { workflow_key } = (await timeTorc(directory, ['workflows', 'create', spec])).reply;
      await timeTorc(directory, ['workflows', 'start', workflow_key]);
      const worker = startWorker(directory, workflow_key, ['-t', 'PT1H']);
      try {
        await until('the job is done', async () => {
          const { num_done } = await api.call('workflow_show', { workflow_key });
          return num_done === 1;
        });
        // the work after the last job is not idle time
        await new Promise((resolve) => setTimeout(resolve, 2000));
        const used = () => ({ worker: cpuSeconds(worker.pid), server: cpuSeconds(pid) });
        const before = used();
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        const after = used();
        const percent = (name) => ((after[name] - before[name]) / seconds) * 100;
        return { worker: percent('worker'), server: percent('server') };
      } finally {
        worker.kill();
      }
    });
  });
}

export async function idle({ isFull, runs }) {
  const seconds = isFull ? 30 : 5;
  const samples = await repeat(Math.min(runs, 2), () => measure(seconds));
  return [
    row(
      `processor time of an idle worker, ${seconds} s`,
      samples.map(({ worker }) => worker),
      '% of a core',
      { budget: { atMost: 0.5 } },
    ),
    row(
      '.. of its server',
      samples.map(({ server }) => server),
      '% of a core',
    ),
  ];
}
