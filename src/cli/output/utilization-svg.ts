/** How busy CPUs, memory and GPUs were over time: as SVG. */
import type { Utilization } from '../../api/contract.ts';
import { formatMemory } from '../../base/units.ts';
import { label, legend, type Picture, pixels } from './svg.ts';
import { type TimeScale, timeAxis, xOf } from './time-axis.ts';

const left = 70;
const width = 1100;
const height = 130;
const gap = 54;
/** With so many times more on the nodes than in jobs, the scale is that of the jobs. */
const mostUnused = 4;

type Bin = Utilization['bins'][number];

interface Panel {
  name: string;
  had: (bin: Bin) => number;
  given: (bin: Bin) => number;
  used: ((bin: Bin) => number | null) | null;
  text: (value: number) => string;
}

const plain = (value: number): string => String(Math.round(value * 10) / 10);

const panels: readonly Panel[] = [
  { name: 'CPUs', had: (b) => b.num_cpus, given: (b) => b.job_cpus, used: (b) => b.used_cpus, text: plain },
  {
    name: 'Memory',
    had: (b) => b.memory_bytes,
    given: (b) => b.job_memory_bytes,
    used: (b) => b.used_memory_bytes,
    text: formatMemory,
  },
  { name: 'GPUs', had: (b) => b.num_gpus, given: (b) => b.job_gpus, used: null, text: plain },
];

/** A panel each; GPUs only where there are any. */
export function utilizationPicture(name: string, { from, to, bins, bin_seconds }: Utilization): Picture {
  const title = `How busy the nodes of ${name} were`;
  if (from === null || to === null || bin_seconds === null) {
    return { title, width, height: 50, content: label('Nothing has run yet.', { x: 16, y: 30 }) };
  }
  const scale = { from: Date.parse(from), to: Date.parse(to), left, width: width - left - 20 };
  const shown = panels.filter(
    ({ name, had, given }) => name !== 'GPUs' || bins.some((bin) => had(bin) + given(bin) > 0),
  );
  const drawn = shown.map((panel, index) => drawPanel(panel, bins, scale, 66 + index * (height + gap), bin_seconds));
  const head = legend(
    [
      ['had', 'nodes had'],
      ['given', 'given to jobs'],
      ['used', 'used by jobs'],
    ],
    left,
    16,
  );
  return { title, width, height: 66 + shown.length * (height + gap) - gap + 12, content: head + drawn.join('') };
}

function drawPanel(panel: Panel, bins: readonly Bin[], scale: TimeScale, top: number, binSeconds: number): string {
  const foot = top + height;
  const had = Math.max(...bins.map(panel.had));
  const inJobs = Math.max(...bins.map((bin) => Math.max(panel.given(bin), panel.used?.(bin) ?? 0)));
  // what is much less than there was would be a flat line
  const isCut = inJobs > 0 && had > inJobs * mostUnused;
  const most = Math.max(isCut ? inJobs * 1.25 : Math.max(had, inJobs), Number.MIN_VALUE);
  const area = (className: string, valueIn: (bin: Bin) => number): string => {
    const steps = bins.map((bin, index) => {
      const end = scale.from + (index + 1) * binSeconds * 1000;
      return `V${pixels(foot - Math.min(1, valueIn(bin) / most) * height)}H${pixels(xOf(scale, end))}`;
    });
    return `<path class="${className}" d="M${pixels(scale.left)} ${pixels(foot)}${steps.join('')}V${pixels(foot)}z"/>`;
  };
  const { used } = panel;
  const isMeasured = used !== null && bins.some((bin) => used(bin) !== null);
  const marks = [0, 0.5, 1].map((share) => {
    const y = foot - share * height;
    const line = `<path class="grid" d="M${scale.left} ${pixels(y)}H${scale.left + scale.width}"/>`;
    return line + label(panel.text(most * share), { x: scale.left - 6, y: y + 4, anchor: 'end', className: 'faint' });
  });
  return [
    label(isCut ? `${panel.name} (the nodes had ${panel.text(had)})` : panel.name, { x: scale.left, y: top - 25 }),
    timeAxis(scale, top, foot),
    area('had', panel.had),
    area('given', panel.given),
    isMeasured ? area('used', (bin) => used(bin) ?? 0) : '',
    ...marks,
  ].join('');
}
