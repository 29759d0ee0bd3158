/** The resource usage of jobs, recorded while they run. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { FakeServer } from './fake-server.ts';
import { startWorker, until } from './run.ts';

/** The content of the file once it has this many lines: a slow file system does not delay the end of a job for long. */
async function linesOf(path: string, atLeast: number): Promise<string[]> {
  const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : []);
  await until(() => lines().length >= atLeast);
  return lines();
}

describe('a time series', () => {
  const interval = { sample_interval_seconds: 1 };

  it('has a row for each interval of each attempt', async () => {
    const server = new FakeServer();
    server.settings = { ...server.settings, ...interval };
    const worker = startWorker(server);
    server.add({ command: 'sleep 3.5', run_id: 2, attempt_id: 3, job_key: '12345' });
    await worker.exit;
    const path = join(worker.directory, 'output/resource_monitor/0012/job_12345_run_2_attempt_3.csv');
    const [header, ...lines] = await linesOf(path, 3);
    expect(header).toBe('seconds,memory_bytes,cpu_seconds');
    const rows = lines.map((line) => line.split(',').map(Number));
    const { exec_ms: ranMs = 0 } = server.attempts.get(1)?.finished ?? {};
    expect(rows.length).toBeLessThanOrEqual(Math.floor(ranMs / 1000) + 1);
    for (const [, memory, cpu] of rows) {
      expect(memory).toBeGreaterThan(0);
      expect(cpu).toBeGreaterThanOrEqual(0);
    }
  });

  it('exists even for a job that was too short to be measured; without an interval there is no file', async () => {
    const server = new FakeServer();
    server.settings = { ...server.settings, ...interval };
    const worker = startWorker(server);
    server.add({ command: 'true' });
    await worker.exit;
    const path = join(worker.directory, 'output/resource_monitor/0000/job_1_run_1_attempt_1.csv');
    expect((await linesOf(path, 1))[0]).toBe('seconds,memory_bytes,cpu_seconds');
    const plain = startWorker();
    plain.server.add({ command: 'true' });
    await plain.exit;
    expect(existsSync(join(plain.directory, 'output/resource_monitor'))).toBe(false);
  });

  it('that cannot be written does not affect the job', async () => {
    const server = new FakeServer();
    server.settings = { ...server.settings, ...interval };
    const warnings: object[] = [];
    const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
    const worker = startWorker(server, {}, log);
    const path = join(worker.directory, 'output/resource_monitor');
    mkdirSync(dirname(path));
    writeFileSync(path, 'in the way');
    server.add({ command: 'true' });
    await worker.exit;
    expect(warnings).toEqual([expect.objectContaining({ path: join(path, '0000/job_1_run_1_attempt_1.csv') })]);
    expect(server.attempts.get(1)?.finished).toMatchObject({ return_code: 0 });
  });
});
