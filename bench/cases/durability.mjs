// Kills the server at full throughput and looks whether anything that it had acknowledged is missing.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { row } from '../report.mjs';
import { createNoops, inDirectory, openFresh, repeat, torc } from '../support.mjs';

const clients = fileURLToPath(new URL('./durability-clients.mjs', import.meta.url));

export async function durability({ isFull, runs }) {
  const numJobs = isFull ? 200_000 : 50_000;
  const counts = await repeat(runs, () => inDirectory((directory) => killOnce(directory, numJobs)));
  return [
    row(
      'results acknowledged before kill -9 of the server',
      counts.map(({ acknowledged }) => acknowledged),
      'results',
    ),
    row(
      '.. of them missing afterwards',
      counts.map(({ missing }) => missing),
      'results',
      { budget: '0' },
    ),
  ];
}

async function killOnce(directory, numJobs) {
  const service = await openFresh(directory);
  const key = await createNoops(service, numJobs);
  await service.close();
  const server = spawn(process.execPath, [torc, '--dir', directory, 'server', 'start'], { stdio: 'ignore' });
  while (!existsSync(join(directory, 'server.json'))) await new Promise((go) => setTimeout(go, 20));
  const child = fork(clients, [directory, key, String(numJobs / 4)]);
  await once(child, 'message');
  const last = once(child, 'message');
  server.kill('SIGKILL');
  const [acknowledged] = await last;
  const again = await openFresh(directory);
  const rows = again.db.all('SELECT attempt_key FROM attempts WHERE end_status IS NOT NULL');
  const stored = new Set(rows.map((row) => row.attempt_key));
  await again.close();
  return { acknowledged: acknowledged.length, missing: acknowledged.filter((attempt) => !stored.has(attempt)).length };
}
