/** What an attempt used while it ran: memory and CPUs, where its workflow has that recorded. */
import { useMemo } from 'preact/hooks';
import type { JobShown } from '../../api/contract.ts';
import type { Series as Recorded } from '../../api/dash.ts';
import type { Colors } from '../charts/colors.ts';
import { type Data, type Look, Plot } from '../charts/plot.tsx';
import { memorySteps } from '../charts/utilization-panels.ts';
import { formatDuration, formatMemory } from '../format.ts';
import { useReply } from '../hooks.ts';
import { Empty, Section } from '../parts.tsx';

type Attempt = JobShown['attempts'][number];

/** Workers write what they have recorded every half a minute. */
const everyMs = 10_000;

export function JobSeries({ attempt, version }: { attempt: Attempt; version: number }) {
  const { job_key, run_id, attempt_id, time_series_path } = attempt;
  const request = time_series_path === null ? null : { job_key, run_id, attempt_id };
  const { reply } = useReply('series', request, version, everyMs);
  if (reply === null) return null;
  return (
    <Section title="Resources over time">
      {reply.missing === null ? <Charts attempt={attempt} series={reply} /> : <Empty>{reply.missing}</Empty>}
    </Section>
  );
}

function Charts({ attempt, series }: { attempt: Attempt; series: Recorded }) {
  const { seconds, memory_bytes, cpus, left_out } = series;
  if (seconds.length < 2) {
    const memory = formatMemory(memory_bytes[0] ?? 0);
    return <Empty>It was too short for a chart: it had {memory} when it was measured, once.</Empty>;
  }
  const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);
  const asked = attempt.requested_memory_bytes;
  return (
    <>
      <SeriesChart
        name="memory"
        summary={`at most ${formatMemory(most(memory_bytes))}${asked === null ? '' : ` of ${formatMemory(asked)}`}`}
        seconds={seconds}
        values={memory_bytes}
        limit={asked}
        text={formatMemory}
        steps={memorySteps}
      />
      <SeriesChart
        name="CPUs"
        summary={`at most ${plain(most(cpus))} busy of ${attempt.num_cpus}`}
        seconds={seconds}
        values={cpus}
        limit={attempt.num_cpus}
        text={plain}
        steps={null}
      />
      <p class="faint">
        {seconds.length} points over {formatDuration(seconds.at(-1) ?? 0)}; the table: {attempt.time_series_path}
      </p>
      {left_out === null ? null : <p class="faint">{left_out}</p>}
    </>
  );
}

const plain = (value: number): string => String(Math.round(value * 100) / 100);

interface SeriesProps {
  name: string;
  summary: string;
  seconds: readonly number[];
  values: readonly number[];
  /** What it asked for. */
  limit: number | null;
  text: (value: number) => string;
  steps: readonly number[] | null;
}

function SeriesChart({ name, summary, seconds, values, limit, text, steps }: SeriesProps) {
  const data = useMemo<Data>(() => {
    return [seconds.map((each) => each * 1000), [...values], values.map(() => limit)];
  }, [seconds, values, limit]);
  const shown = { from: 0, to: Math.max(1000, (seconds.at(-1) ?? 0) * 1000) };
  const look = (colors: Colors): Look => ({
    series: [
      { stroke: colors['fill-running'], fill: colors['chart-given'], width: 1.5 },
      { stroke: colors.faint, dash: [4, 4], width: 1 },
    ],
    valueText: text,
    valueSteps: steps,
    most: (largest) => (largest > 0 ? largest * 1.05 : 1),
    isSinceStart: true,
  });
  return (
    <figure class="chart" aria-label={`${name} over time: ${summary}`}>
      <figcaption>
        <h2>{name}</h2>
        <span class="legend">
          {summary}
          {limit === null ? null : (
            <span>
              <i class="swatch dashed" /> asked for
            </span>
          )}
        </span>
      </figcaption>
      <Plot look={look} data={data} shown={shown} height={140} choose={null} />
    </figure>
  );
}
