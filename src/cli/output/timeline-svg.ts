/** When attempts ran, by worker and slot, below the allocations: as SVG. */
import type { Timeline } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { escaped, label, legend, type Picture, pixels } from './svg.ts';
import { type TimeScale, timeAxis, xOf } from './time-axis.ts';

const labelWidth = 170;
const width = 1100;
const top = 52;
const rowGap = 6;
/** Of a worker without spans, and of an allocation. */
const rowHeight = 14;
const tallestSlot = 12;
const flattestSlot = 2;
/** All slots together are about as tall, if they do not get too flat. */
const wantedHeight = 1600;
/** With more attempts, they have no tips, and those alike are one path: the file stays small. */
const mostTips = 3000;

const meanings = ['success', 'failed', 'forgiven', 'canceled', 'terminated', 'lost', 'running'] as const;

type Span = NonNullable<Timeline['spans']>[number];
type Worker = Timeline['workers'][number];

/** `now` is where running attempts end. */
export function timelinePicture(name: string, timeline: Timeline): Picture {
  const { from, to } = timeline;
  const title = `When the attempts of ${name} ran`;
  if (from === null || to === null) {
    const content = label('Nothing has run yet.', { x: 16, y: 30 });
    return { title, width, height: 50, content };
  }
  const scale = { from: Date.parse(from), to: Date.parse(to), left: labelWidth, width: width - labelWidth - 20 };
  const rows = [...allocationRows(timeline, scale), ...workerRows(timeline, scale)];
  let y = top + 4;
  const placed = rows.map((row) => {
    const drawn = row.draw(y);
    y += row.height + rowGap;
    return drawn;
  });
  const words = new Set(timeline.spans?.map(({ outcome }) => outcome ?? 'running') ?? []);
  const kinds = meanings.filter((word) => words.has(word));
  const shown: [string, string][] = timeline.bins === null ? kinds.map((word) => [word, word]) : binMeanings;
  const waits: [string, string][] = timeline.allocations.length === 0 ? [] : [['waits', 'allocation waits']];
  const head = legend([...shown, ...waits, ['had', 'node is there']], labelWidth, 16);
  const left = hiddenNote(timeline);
  const note = left === '' ? '' : label(left, { x: 16, y: y + 14, className: 'faint' });
  const content = head + timeAxis(scale, top, y) + placed.join('') + note;
  return { title, width, height: y + (left === '' ? 8 : 26), content };
}

const binMeanings: [string, string][] = [
  ['given', 'attempts at once'],
  ['failed', 'some failed'],
];

function hiddenNote({ workers, num_workers }: Timeline): string {
  return workers.length === num_workers ? '' : `${workers.length} of ${num_workers} workers are shown.`;
}

interface Row {
  height: number;
  draw(y: number): string;
}

function allocationRows({ allocations, to }: Timeline, scale: TimeScale): Row[] {
  return allocations.slice(-50).map(({ slurm_job_id, name, submitted_at, started_at, ended_at }) => ({
    height: rowHeight,
    draw(y) {
      const end = ended_at ?? to ?? submitted_at;
      const waits = bar(scale, { className: 'waits', y, height: rowHeight }, submitted_at, started_at ?? end);
      const runs = started_at === null ? '' : bar(scale, { className: 'had', y, height: rowHeight }, started_at, end);
      return rowLabel(`allocation ${slurm_job_id ?? name}`, y) + waits + runs;
    },
  }));
}

function rowLabel(text: string, y: number): string {
  const short = text.length > 26 ? `${text.slice(0, 25)}…` : text;
  return label(short, { x: labelWidth - 8, y: y + 11, anchor: 'end' });
}

function bar(
  scale: TimeScale,
  { className, y, height }: { className: string; y: number; height: number },
  from: string,
  to: string,
): string {
  const x = xOf(scale, Date.parse(from));
  const wide = Math.max(0.5, xOf(scale, Date.parse(to)) - x);
  return `<rect class="${className}" x="${pixels(x)}" y="${pixels(y)}" width="${pixels(wide)}" height="${pixels(height)}"/>`;
}

function workerRows(timeline: Timeline, scale: TimeScale): Row[] {
  const { workers, spans, bins, to } = timeline;
  const numSlots = workers.reduce((sum, { num_slots }) => sum + Math.max(1, num_slots ?? 1), 0);
  const slotHeight = Math.min(tallestSlot, Math.max(flattestSlot, Math.floor(wantedHeight / Math.max(1, numSlots))));
  const byWorker = new Map(workers.map((worker) => [worker.compute_node_key, [] as Span[]]));
  for (const span of spans ?? []) byWorker.get(span.compute_node_key)?.push(span);
  const binned = new Map(bins?.workers.map((each) => [each.compute_node_key, each]) ?? []);
  const hasTips = (spans?.length ?? 0) <= mostTips;
  return workers.map((worker) => {
    const { compute_node_key, started_at, ended_at, num_slots } = worker;
    const height = bins === null ? Math.max(rowHeight, (num_slots ?? 1) * slotHeight) : 2 * rowHeight;
    return {
      height,
      draw(y) {
        const there = bar(scale, { className: 'had', y, height }, started_at, ended_at ?? to ?? started_at);
        const row = binned.get(compute_node_key);
        const own = byWorker.get(compute_node_key) ?? [];
        const place = { y, height, slotHeight };
        const drawn =
          row === undefined || bins === null
            ? spansOf(scale, place, own, to, hasTips)
            : binsOf(scale, place, worker, row, bins.bin_seconds * 1000);
        return rowLabel(worker.hostname, y) + there + drawn;
      },
    };
  });
}

interface Place {
  y: number;
  height: number;
  slotHeight: number;
}

function spansOf(scale: TimeScale, place: Place, spans: readonly Span[], end: string | null, hasTips: boolean): string {
  const paths = new Map<string, string>();
  const rects: string[] = [];
  for (const span of spans) {
    const className = span.outcome ?? 'running';
    const ended = span.ended_at ?? end ?? span.started_at;
    const y = place.y + span.slot * place.slotHeight;
    const height = place.slotHeight - (place.slotHeight > 4 ? 1 : 0.3);
    if (hasTips) {
      const rect = bar(scale, { className, y, height }, span.started_at, ended);
      rects.push(`${rect.slice(0, -2)}><title>${escaped(tipOf(span, ended))}</title></rect>`);
      continue;
    }
    const x = xOf(scale, Date.parse(span.started_at));
    const wide = Math.max(0.4, xOf(scale, Date.parse(ended)) - x - 0.2);
    const d = `M${pixels(x)} ${pixels(y)}h${pixels(wide)}v${pixels(height)}h-${pixels(wide)}z`;
    paths.set(className, (paths.get(className) ?? '') + d);
  }
  return rects.join('') + [...paths].map(([className, d]) => `<path class="${className}" d="${d}"/>`).join('');
}

function tipOf(
  { job_name, job_key, outcome, cause, return_code, started_at, num_cpus, attempt_id }: Span,
  ended: string,
): string {
  const took = formatDuration((Date.parse(ended) - Date.parse(started_at)) / 1000);
  const how = outcome === null ? 'running' : outcome === 'failed' ? `failed (${return_code ?? cause})` : outcome;
  return `${job_name ?? 'deleted job'} (${job_key}), attempt ${attempt_id}: ${how}, ${took}, ${counted(num_cpus, 'CPU')}, from ${started_at.slice(11, 19)}`;
}

/** A curve of how many ran at once, over what ran at most; a mark where some failed. */
function binsOf(
  scale: TimeScale,
  { y, height }: Place,
  worker: Worker,
  { running, failed }: { running: number[]; failed: number[] },
  binMs: number,
): string {
  const most = Math.max(worker.num_cpus * worker.num_nodes, ...running);
  const at = (bin: number): number => xOf(scale, scale.from + bin * binMs);
  const foot = y + height;
  const steps = running.map((count, bin) => `V${pixels(foot - (count / most) * height)}H${pixels(at(bin + 1))}`);
  const curve = `<path class="given" d="M${pixels(at(0))} ${pixels(foot)}${steps.join('')}V${pixels(foot)}z"/>`;
  const marks = failed.flatMap((count, bin) =>
    count === 0
      ? []
      : [
          `M${pixels(at(bin))} ${pixels(foot)}h${pixels(Math.max(1, at(bin + 1) - at(bin)))}v-3h-${pixels(Math.max(1, at(bin + 1) - at(bin)))}z`,
        ],
  );
  return curve + (marks.length === 0 ? '' : `<path class="failed" d="${marks.join('')}"/>`);
}
