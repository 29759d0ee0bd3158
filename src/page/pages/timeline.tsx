/** When attempts ran: bars by node and CPU below how many ran at once, with the part of the time that is shown. */
import { useMemo, useRef } from 'preact/hooks';
import type { Timeline } from '../../api/contract.ts';
import type { Colors } from '../charts/colors.ts';
import { Gantt, hrefOf } from '../charts/gantt.tsx';
import { mostAllocations } from '../charts/gantt-layout.ts';
import { type Chart, type Data, type Look, Plot } from '../charts/plot.tsx';
import { chosenWithin, replaceQuery, TimeBar, windowOf, withWindow } from '../charts/time-bar.tsx';
import { useTime } from '../charts/time-replies.ts';
import type { TimeWindow } from '../charts/window.ts';
import { formatCount, formatDuration } from '../format.ts';
import { missingOf, useLast, useReply, useSettled } from '../hooks.ts';
import { Empty, JobStatus, Trouble } from '../parts.tsx';
import { type TimeQuery, timeHref } from '../route.ts';
import { NoWorkflow, WorkflowHead } from './head.tsx';

/** More are counted by time instead: they would be narrower than a pixel, and the reply would be large. */
const mostSpans = 3000;
const numBins = 300;
const workersAtOnce = 16;
const mostRows = 200;

export function TimelinePage({ workflowKey, query }: { workflowKey: string; query: TimeQuery }) {
  const all = {
    ...{ workflow_key: workflowKey, run_id: query.run, from: null, to: null },
    ...{ hostnames: null, max_workers: workersAtOnce, skip_workers: 0 },
    ...{ max_spans: mostSpans, num_bins: numBins },
  };
  const { live, line, whole, overview, paced } = useTime('timeline', all);
  const missing = missingOf(live);
  const part = useSettled({ from: query.from, to: query.to }, 150);
  const hostnames = query.node === null ? null : [query.node];
  const isPart = part.from !== null || hostnames !== null || query.skip > 0;
  const request = { ...all, ...part, hostnames, skip_workers: query.skip };
  // the whole time is asked for anyway
  const asked = useReply('timeline', isPart ? request : null, paced.version, paced.everyMs);
  const { reply, error } = isPart ? asked : overview;
  const timeline = useLast(reply, `${query.run} ${query.node} ${query.skip}`);
  const shown = windowOf(query) ?? whole;
  // an older server does not say it
  const atOnce = overview.reply?.at_once ?? null;
  const trouble = live.trouble ?? error ?? overview.error;
  const go = (next: TimeQuery): void => replaceQuery(workflowKey, 'timeline', next);
  const choose = (chosen: TimeWindow | null): void => {
    if (whole !== null) go(withWindow(query, chosenWithin(chosen, whole)));
  };
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main>
      <WorkflowHead workflowKey={workflowKey} line={line} at="timeline" />
      {trouble === null ? null : <Trouble error={trouble} />}
      <TimeBar query={query} lastRun={line?.run_id ?? 0} shown={shown} whole={whole} go={go}>
        {query.node === null ? null : (
          <button type="button" onClick={() => go({ ...query, node: null, skip: 0 })} title="show all nodes">
            node {query.node} ×
          </button>
        )}
        {timeline === null ? null : <Pager timeline={timeline} query={query} go={go} />}
      </TimeBar>
      {timeline?.from === null ? (
        <Empty>Nothing has run yet.</Empty>
      ) : timeline === null || shown === null || whole === null ? (
        <p class="faint">loading ..</p>
      ) : (
        <figure class="chart">
          <figcaption>{summaryOf(timeline)}</figcaption>
          <Legend timeline={timeline} />
          {atOnce === null ? null : <Overview atOnce={atOnce} whole={whole} shown={shown} choose={choose} />}
          <Gantt
            timeline={timeline}
            shown={shown}
            whole={whole}
            choose={choose}
            nodeHref={(node) => timeHref(workflowKey, 'timeline', { ...query, node, skip: 0 })}
          />
          <AsTable timeline={timeline} />
        </figure>
      )}
    </main>
  );
}

/** `1,203 attempts of 25 workers, 12 failed, 3 running`. */
export function summaryOf({ num_spans, num_workers, workers, spans, bins, num_allocations }: Timeline): string {
  const plural = (count: number, word: string): string => `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`;
  const failed =
    spans?.filter(({ outcome }) => outcome === 'failed').length ??
    bins?.workers.reduce((sum, { failed }) => sum + failed.reduce((a, b) => a + b, 0), 0) ??
    0;
  const running = spans?.filter(({ ended_at }) => ended_at === null).length ?? 0;
  const parts = [
    `${plural(num_spans, 'attempt')} of ${num_workers > workers.length ? `${workers.length} of ` : ''}${plural(num_workers, 'worker')}`,
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(running > 0 ? [`${formatCount(running)} running`] : []),
    ...(num_allocations > mostAllocations
      ? [`the newest ${mostAllocations} of ${formatCount(num_allocations)} allocations`]
      : []),
  ];
  return `${parts.join(', ')}.${bins === null ? '' : ' They are counted by time: zoom in to see each of them.'}`;
}

const words: Readonly<Record<string, string>> = { success: 'succeeded', running: 'running' };

function Legend({ timeline: { spans, bins, allocations } }: { timeline: Timeline }) {
  const found = new Set(spans?.map(({ outcome }) => outcome ?? 'running') ?? []);
  const outcomes = ['success', 'failed', 'forgiven', 'canceled', 'terminated', 'lost', 'running'] as const;
  const entries: [string, string][] = [
    ...(bins === null
      ? outcomes.filter((each) => found.has(each)).map((each): [string, string] => [each, words[each] ?? each])
      : ([
          ['given', 'running at once'],
          ['failed', 'some failed'],
        ] as [string, string][])),
    ['had', 'node is there'],
    ...(allocations.length === 0 ? [] : ([['waits', 'allocation waits']] as [string, string][])),
  ];
  return (
    <p class="legend" aria-hidden="true">
      {entries.map(([tone, word]) => (
        <span key={tone}>
          <i class={`swatch ${tone}`} /> {word}
        </span>
      ))}
      {bins === null ? <span class="faint">one line for each CPU</span> : null}
    </p>
  );
}

interface PagerProps {
  timeline: Timeline;
  query: TimeQuery;
  go: (query: TimeQuery) => void;
}

function Pager({ timeline: { workers, num_workers }, query, go }: PagerProps) {
  if (num_workers <= workersAtOnce && query.skip === 0) return null;
  const { skip } = query;
  const last = skip + workers.length;
  return (
    <span class="buttons-in-line">
      <button
        type="button"
        aria-label="previous workers"
        disabled={skip === 0}
        onClick={() => go({ ...query, skip: Math.max(0, skip - workersAtOnce) })}
      >
        ▲
      </button>
      <span class="number">
        workers {formatCount(Math.min(skip + 1, num_workers))} to {formatCount(last)} of {formatCount(num_workers)}
      </span>
      <button
        type="button"
        aria-label="next workers"
        disabled={last >= num_workers}
        onClick={() => go({ ...query, skip: skip + workersAtOnce })}
      >
        ▼
      </button>
    </span>
  );
}

type AtOnce = NonNullable<Timeline['at_once']>;

interface OverviewProps {
  atOnce: AtOnce;
  whole: TimeWindow;
  shown: TimeWindow;
  choose: (chosen: TimeWindow) => void;
}

/** How many ran at once over the whole time; what is not shown below is shaded. */
function Overview({ atOnce, whole, shown, choose }: OverviewProps) {
  const data = useMemo(() => runningOf(atOnce, whole), [atOnce, whole.from, whole.to]);
  const latest = useRef(shown);
  latest.current = shown;
  const chart = useRef<Chart | null>(null);
  const isPart = shown.from > whole.from || shown.to < whole.to;
  const look = (colors: Colors): Look => ({
    // else the axis of the rows below says the same
    hasTime: isPart,
    series: [{ fill: colors['chart-given'], stroke: colors['chart-given'] }],
    isStepped: true,
    valueText: null,
    most: (largest) => Math.max(1, largest),
    hooks: {
      draw: [
        (drawn) => {
          const { ctx, bbox } = drawn;
          const { from, to } = latest.current;
          const left = Math.max(bbox.left, drawn.valToPos(from, 'x', true));
          const right = Math.min(bbox.left + bbox.width, drawn.valToPos(to, 'x', true));
          ctx.save();
          ctx.globalAlpha = 0.75;
          ctx.fillStyle = colors.raised;
          ctx.fillRect(bbox.left, bbox.top, left - bbox.left, bbox.height);
          ctx.fillRect(right, bbox.top, bbox.left + bbox.width - right, bbox.height);
          ctx.restore();
        },
      ],
    },
  });
  // other data, so that the shade is drawn again
  const drawn = useMemo<Data>(() => [...data] as Data, [data, shown.from, shown.to]);
  return (
    <div class="overview">
      <div class="gantt-labels faint">at most {formatCount(mostOf(atOnce))} at once</div>
      <div class="gantt-plot">
        <Plot look={look} id={`${isPart}`} data={drawn} shown={whole} height={90} choose={choose} chart={chart} />
      </div>
    </div>
  );
}

function mostOf({ num_running }: AtOnce): number {
  return Math.round(num_running.reduce((most, each) => Math.max(most, each), 0));
}

function runningOf({ bin_seconds, num_running }: AtOnce, { from, to }: TimeWindow): Data {
  return [
    [...num_running.map((_, bin) => from + bin * bin_seconds * 1000), to],
    [...num_running, num_running.at(-1) ?? 0],
  ];
}

/** The same for those who do not see the chart. */
function AsTable({ timeline: { spans, workers, bins } }: { timeline: Timeline }) {
  const hosts = new Map(workers.map(({ compute_node_key, hostname }) => [compute_node_key, hostname]));
  const failedOf = new Map(
    bins?.workers.map(({ compute_node_key, failed }) => [compute_node_key, failed.reduce((a, b) => a + b, 0)]),
  );
  return (
    <details>
      <summary>as a table</summary>
      {spans === null ? (
        <table class="plain">
          <thead>
            <tr>
              <th>node</th>
              <th class="number">cpus</th>
              <th class="number">attempts</th>
              <th class="number">failed</th>
              <th>started</th>
            </tr>
          </thead>
          <tbody>
            {workers.map(({ compute_node_key, hostname, num_cpus, num_nodes, num_spans, started_at }) => (
              <tr key={compute_node_key}>
                <td class="name">{hostname}</td>
                <td class="number">{formatCount(num_cpus * num_nodes)}</td>
                <td class="number">{formatCount(num_spans)}</td>
                <td class="number">{formatCount(failedOf.get(compute_node_key) ?? 0)}</td>
                <td>{new Date(started_at).toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th>job</th>
              <th>node</th>
              <th>ended</th>
              <th class="number">cpus</th>
              <th class="number">time</th>
              <th>started</th>
            </tr>
          </thead>
          <tbody>
            {spans.slice(0, mostRows).map((span) => (
              <tr key={`${span.job_key} ${span.run_id} ${span.attempt_id}`}>
                <td class="name">
                  <a href={hrefOf(span)}>{span.job_name ?? `job ${span.job_key}`}</a>
                </td>
                <td>{hosts.get(span.compute_node_key)}</td>
                <td>
                  <JobStatus status={span.outcome === null ? 'running' : span.outcome} outcome={span.outcome} />
                </td>
                <td class="number">{span.num_cpus}</td>
                <td class="number">
                  {span.ended_at === null
                    ? ''
                    : formatDuration((Date.parse(span.ended_at) - Date.parse(span.started_at)) / 1000)}
                </td>
                <td>{new Date(span.started_at).toLocaleString()}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {(spans?.length ?? 0) > mostRows ? (
        <p class="faint">.. and {formatCount((spans?.length ?? 0) - mostRows)} more; zoom in to see fewer</p>
      ) : null}
    </details>
  );
}
