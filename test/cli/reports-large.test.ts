/** The page of a run of 10,000 jobs: small, with the numbers of the lists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import { finished, TestWorker } from '../support/service.ts';
import { newPlace, type Place } from './place.ts';

const numJobs = 10_000;

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const parameters = { n: `1:${numJobs / 2}` };
  const jobs = [
    { name: 'prepare_{n}', command: 'true', parameters },
    { name: 'train_{n}_of_5000', command: 'true', depends_on_regexes: ['prepare_.*'], parameters },
  ];
  await place.json(['workflows', 'create', place.file('w.json', JSON.stringify({ name: 'large', jobs }))]);
  await place.json(['workflows', 'start', '1']);
  const service = await openService(place.dir, systemClock, 'test');
  const worker = await TestWorker.join(service, '1', { cpus: 1000, memory: 2 ** 50 });
  let { jobs: given } = await worker.exchange();
  for (let left = numJobs - given.length; given.length > 0; left -= given.length) {
    const ends = given.map(({ attempt, job_name }) => finished(attempt, /^train_\d*7_/.test(job_name) ? 1 : 0));
    worker.held = [];
    ({ jobs: given } = await worker.exchange({ finished: ends, leaving: left === 0 }));
  }
  await service.close();
});
afterAll(() => place.remove());

it('is less than 3 MB and has the numbers of the lists', async () => {
  const { bytes } = await place.json<{ bytes: number }>(['reports', 'html', '1', '-o', 'r.html']);
  expect(bytes).toBeLessThan(3_000_000);
  const html = readFileSync(join(place.path, 'r.html'), 'utf8');
  const shown = Object.fromEntries(
    [...html.matchAll(/<b>([^<]*)<\/b><span>([^<]*)<\/span>/g)].map(([, value, word]) => [word, value]),
  );
  const { workflows } = await place.json<{ workflows: Record<string, number>[] }>(['workflows', 'list']);
  const { num_done = 0, num_failed = 0 } = workflows[0] ?? {};
  const { results } = await place.json<{ results: { outcome: string }[] }>(['results', 'list', '-k', '1']);
  const failed = results.filter(({ outcome }) => outcome === 'failed').length;
  expect(failed).toBe(500);
  expect(shown).toMatchObject({
    jobs: String(numJobs),
    succeeded: String(num_done - num_failed),
    failed: String(failed),
    attempts: String(results.length),
  });
  expect(html).toContain(`${failed} failed jobs in `);
  const { total } = await place.json<{ total: { num_attempts: number } }>(['reports', 'usage', '1']);
  expect(html).toContain(`<tr><td>total</td><td class="number">–</td><td class="number">${total.num_attempts}</td>`);
});

it('all of it is in an RO-Crate', async () => {
  const made = await place.json<object>(['workflows', 'export', '1', '--ro-crate', 'crate']);
  expect(made).toMatchObject({ num_runs: 1, num_attempts: numJobs });
  const text = readFileSync(join(place.path, 'crate', 'ro-crate-metadata.json'), 'utf8');
  const { '@graph': graph } = JSON.parse(text) as { '@graph': { '@id': string; '@type': unknown }[] };
  expect(graph.filter((entity) => entity['@type'] === 'CreateAction')).toHaveLength(1 + numJobs);
  expect(graph.filter((entity) => entity['@type'] === 'ControlAction')).toHaveLength(numJobs);
});
