/** How busy the nodes of a workflow were over time: what they had, what of it jobs were given, and what these used. */
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Utilization } from '../../api/contract.ts';
import type { Colors } from '../charts/colors.ts';
import { type Data, type Look, Plot } from '../charts/plot.tsx';
import { chosenWithin, replaceQuery, TimeBar, windowOf, withWindow } from '../charts/time-bar.tsx';
import { useTime } from '../charts/time-replies.ts';
import { axisMost, lineData, type Panel, panelsOf } from '../charts/utilization-panels.ts';
import type { TimeWindow } from '../charts/window.ts';
import { formatCount, formatDuration } from '../format.ts';
import { missingOf, useLast, useReply, useSettled } from '../hooks.ts';
import { Empty, Trouble } from '../parts.tsx';
import type { TimeQuery } from '../route.ts';
import { NoWorkflow, WorkflowHead } from './head.tsx';

const numBins = 300;
const overviewBins = 240;
const tableRows = 24;

export function UtilizationPage({ workflowKey, query }: { workflowKey: string; query: TimeQuery }) {
  const all = { workflow_key: workflowKey, run_id: query.run, from: null, to: null };
  const { live, line, whole, overview, paced } = useTime('utilization', { ...all, num_bins: overviewBins });
  const missing = missingOf(live);
  const part = useSettled({ from: query.from, to: query.to }, 150);
  const isPart = part.from !== null;
  const request = { ...all, ...part, num_bins: numBins };
  // the whole time is asked for anyway
  const asked = useReply('utilization', isPart ? request : null, paced.version, paced.everyMs);
  const { reply, error } = isPart ? asked : overview;
  const utilization = useLast(reply, `${query.run}`);
  const shown = windowOf(query) ?? whole;
  const trouble = live.trouble ?? error;
  const go = (next: TimeQuery): void => replaceQuery(workflowKey, 'utilization', next);
  const choose = (chosen: TimeWindow): void => {
    if (whole !== null) go(withWindow(query, chosenWithin(chosen, whole)));
  };
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main>
      <WorkflowHead workflowKey={workflowKey} line={line} at="utilization" />
      {trouble === null ? null : <Trouble error={trouble} />}
      <TimeBar query={query} lastRun={line?.run_id ?? 0} shown={shown} whole={whole} go={go} />
      {overview.reply?.from === null ? (
        <Empty>Nothing has run yet.</Empty>
      ) : utilization === null || shown === null ? (
        <p class="faint">loading ..</p>
      ) : (
        <>
          <p>{summaryOf(utilization)}</p>
          {panelsOf(utilization).map((panel) => (
            <PanelChart key={panel.name} panel={panel} utilization={utilization} shown={shown} choose={choose} />
          ))}
          <AsTable utilization={utilization} />
        </>
      )}
    </main>
  );
}

function summaryOf({ num_attempts, average, bin_seconds }: Utilization): string {
  const attempts = `${formatCount(num_attempts)} ${num_attempts === 1 ? 'attempt' : 'attempts'}`;
  const share =
    average === null || average.num_cpus === 0
      ? ''
      : `; jobs were given ${Math.round((average.job_cpus / average.num_cpus) * 100)} % of the CPUs`;
  const used =
    average?.used_cpus == null || average.job_cpus === 0
      ? ''
      : ` and kept ${Math.round((average.used_cpus / average.job_cpus) * 100)} % of those busy`;
  const bins = bin_seconds === null ? '' : ` Each point is an average over ${formatDuration(bin_seconds)}.`;
  return `${attempts}${share}${used}.${bins}`;
}

interface PanelProps {
  panel: Panel;
  utilization: Utilization;
  shown: TimeWindow;
  choose: (chosen: TimeWindow) => void;
}

function PanelChart({ panel, utilization, shown, choose }: PanelProps) {
  const { name, lines, text } = panel;
  const data = useMemo<Data>(() => lineData(lines, utilization), [utilization, name]);
  const [at, setAt] = useState<number | null>(null);
  const bin = at === null ? undefined : utilization.bins[at];
  const pointed = bin ?? utilization.average;
  const valueText = (value: number | null | undefined): string => (value == null ? '' : text(value));
  // the axis follows later replies
  const latest = useRef(utilization);
  latest.current = utilization;
  const look = (colors: Colors): Look => ({
    series: lines.map(({ tone }) => {
      const color = colors[`chart-${tone}`];
      // what waits is no part of what is there
      return tone === 'waits' ? { stroke: color, width: 2 } : { stroke: color, fill: color, width: 1 };
    }),
    isStepped: true,
    valueText: text,
    valueSteps: panel.steps,
    most: (largest) => axisMost(latest.current.bins, lines, largest),
    together: 'utilization',
    hooks: { setLegend: [(moved) => setAt(moved.legend.idx ?? null)] },
  });
  return (
    <figure class="chart" aria-label={`${name} over time`}>
      <figcaption>
        <h2>{name}</h2>
        <span class="legend">
          {lines.map((line) => (
            <span key={line.word}>
              <i class={`swatch ${line.tone}`} /> {line.word}{' '}
              <strong>{pointed === null ? '' : valueText(line.of(pointed))}</strong>
            </span>
          ))}
          <span class="faint">
            {bin === undefined ? 'on average' : `at ${new Date(bin.start).toLocaleTimeString('en-GB')}`}
          </span>
        </span>
      </figcaption>
      <Plot
        look={look}
        id={lines.map(({ word }) => word).join()}
        data={data}
        shown={shown}
        height={170}
        choose={choose}
      />
    </figure>
  );
}

/** The same for those who do not see the charts: every so many bins. */
function AsTable({ utilization }: { utilization: Utilization }) {
  const { bins } = utilization;
  const step = Math.max(1, Math.ceil(bins.length / tableRows));
  const lines = panelsOf(utilization).flatMap(({ name, lines, text }) =>
    lines.map((line) => ({ ...line, name, text })),
  );
  return (
    <details>
      <summary>as a table</summary>
      <table class="plain">
        <thead>
          <tr>
            <th>at</th>
            {lines.map(({ name, word }) => (
              <th key={`${name} ${word}`} class="number">
                {name} {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {bins
            .filter((_, index) => index % step === 0)
            .map((bin) => (
              <tr key={bin.start}>
                <td>{new Date(bin.start).toLocaleString()}</td>
                {lines.map(({ name, word, of, text }) => (
                  <td key={`${name} ${word}`} class="number">
                    {text(of(bin) ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </details>
  );
}
