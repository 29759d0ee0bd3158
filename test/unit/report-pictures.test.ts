/** The pictures of reports: what is drawn where. */
import { expect, it } from 'vitest';
import type { Timeline, Utilization } from '../../src/api/contract.ts';
import { svgFile } from '../../src/cli/output/svg.ts';
import { ticksOf } from '../../src/cli/output/time-axis.ts';
import { timelinePicture } from '../../src/cli/output/timeline-svg.ts';
import { utilizationPicture } from '../../src/cli/output/utilization-svg.ts';

const start = Date.parse('2026-01-31T12:00:00Z');
const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString();

const size = { num_nodes: 1, num_cpus: 4, memory_bytes: 1, num_gpus: 0, num_spans: 2, num_slots: 2 };
const worker = { hostname: 'n1', allocation_key: '1', slurm_job_id: '17', started_at: at(40), ended_at: null, ...size };
const span: NonNullable<Timeline['spans']>[number] = {
  ...{ compute_node_key: '1', slot: 0, job_key: '1', job_name: 'a', run_id: 1, attempt_id: 1 },
  ...{ started_at: at(50), ended_at: at(70), return_code: 0, num_cpus: 1, num_gpus: 0 },
  outcome: 'success',
  cause: 'success',
};
const timeline: Timeline = {
  ...{ workflow_key: '1', from: at(0), to: at(100), num_workers: 1, num_allocations: 1, num_spans: 2 },
  ...{ bins: null, at_once: null },
  workers: [{ compute_node_key: '1', ...worker }],
  allocations: [
    {
      ...{ allocation_key: '1', name: 'w', slurm_job_id: '17', num_nodes: 1 },
      status: 'running',
      ...{ submitted_at: at(0), started_at: at(40), ended_at: null },
    },
  ],
  spans: [span, { ...span, slot: 1, job_name: 'b', ended_at: null, outcome: null, cause: null, return_code: null }],
};

/** Where rectangles of a class begin, and how wide they are. */
function bars(svg: string, className: string): number[][] {
  const found = svg.matchAll(
    new RegExp(`<rect class="${className}" x="([\\d.]+)" y="([\\d.]+)" width="([\\d.]+)"`, 'g'),
  );
  // those of the legend are squares of 10
  return [...found]
    .map(([, x, y, width]) => [Number(x), Number(y), Number(width)])
    .filter(([, , width]) => width !== 10);
}

it('spans are as long as they took, in a row for each slot, and running ones go on to the end', () => {
  const svg = svgFile(timelinePicture('w', timeline));
  const [waits = []] = bars(svg, 'waits');
  const [done = []] = bars(svg, 'success');
  const [running = []] = bars(svg, 'running');
  const second = (waits[2] ?? 0) / 40;
  expect(done[2]).toBeCloseTo(20 * second, 0);
  expect(running[2]).toBeCloseTo(50 * second, 0);
  expect(done[0]).toBe(running[0]);
  expect(running[1]).toBeGreaterThan(done[1] ?? 0);
  expect(bars(svg, 'had').map(([x]) => x)).toEqual([
    (waits[0] ?? 0) + (waits[2] ?? 0),
    (waits[0] ?? 0) + (waits[2] ?? 0),
  ]);
});

it('tips say how an attempt ended, also without a return code', () => {
  const tips = (about: Partial<typeof span>) => {
    return svgFile(timelinePicture('w', { ...timeline, spans: [{ ...span, ...about }] }));
  };
  expect(tips({ outcome: 'failed', cause: 'job_timeout', return_code: null })).toContain(
    'failed (job_timeout), 20 s, 1 CPU, ',
  );
  expect(tips({ outcome: 'failed', cause: 'exit_code', return_code: 3, num_cpus: 2 })).toContain(
    'failed (3), 20 s, 2 CPUs, ',
  );
});

it('many spans are a path of each outcome, bins a curve', () => {
  const many = Array.from({ length: 5000 }, () => span);
  const svg = svgFile(timelinePicture('w', { ...timeline, spans: many }));
  expect(svg.match(/<path class="success"/g)).toHaveLength(1);
  expect(svg.match(/M[\d.]+ [\d.]+h/g)).toHaveLength(5000);
  const bins = { bin_seconds: 50, workers: [{ compute_node_key: '1', running: [0, 2], failed: [0, 1] }] };
  const curve = svgFile(timelinePicture('w', { ...timeline, spans: null, bins }));
  expect(curve).toMatch(/<path class="given" /);
  expect(curve).toMatch(/<path class="failed" /);
  expect(curve).not.toMatch(/NaN|undefined|Infinity/);
});

it('GPUs have a panel where there are any', () => {
  const bin = {
    ...{ start: at(0), num_nodes: 1, num_pending_nodes: 0, num_running: 1, num_cpus: 4, job_cpus: 1, used_cpus: null },
    ...{ memory_bytes: 1, job_memory_bytes: 1, used_memory_bytes: null, num_gpus: 0, job_gpus: 0 },
  };
  const reply = (num_gpus: number): Utilization => ({
    ...{ workflow_key: '1', from: at(0), to: at(100), bin_seconds: 100, num_attempts: 1, average: null },
    bins: [{ ...bin, num_gpus }],
  });
  expect(svgFile(utilizationPicture('w', reply(0)))).not.toContain('>GPUs<');
  const svg = svgFile(utilizationPicture('w', reply(2)));
  expect(svg).toContain('>GPUs<');
  // nothing was measured
  expect(svg).not.toContain('<path class="used"');
});

it('labels of time are few and round, from milliseconds to years', () => {
  for (const seconds of [0.05, 1, 37, 600, 3600, 86_400, 40 * 86_400, 4000 * 86_400]) {
    const scale = { from: start + 123, to: start + 123 + seconds * 1000, left: 0, width: 900 };
    const ticks = ticksOf(scale);
    expect(ticks.length).toBeLessThanOrEqual(11);
    expect(ticks.length).toBeGreaterThan(1);
    for (const tick of ticks) expect(tick.at).toBeGreaterThanOrEqual(scale.from);
    expect(new Set(ticks.map(({ text }) => text)).size).toBe(ticks.length);
  }
});
