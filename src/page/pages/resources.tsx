/** What jobs use of what they ask for, by the forms of their names, with what `torc reports resources` proposes. */
import type { UsageRow } from '../../api/contract.ts';
import { Actions } from '../actions.tsx';
import { formatCount, formatDuration, formatMemory } from '../format.ts';
import { missingOf, onlyLine, useLive, useReply } from '../hooks.ts';
import { Command, Empty, Section, Trouble, TypedCommand } from '../parts.tsx';
import { listHref } from '../route.ts';
import { NoWorkflow, WorkflowHead } from './head.tsx';

const mostStems = 100;
type Measure = UsageRow['memory_bytes'];

const measures = [
  { field: 'memory_bytes', word: 'memory', text: formatMemory },
  { field: 'num_cpus', word: 'cpus', text: (value: number) => String(Math.round(value * 100) / 100) },
  { field: 'runtime_seconds', word: 'runtime', text: formatDuration },
] as const;

const findings = { under_half: ['warn', 'less than half used'], exceeded: ['bad', 'too small'] } as const;

export function ResourcesPage({ workflowKey }: { workflowKey: string }) {
  const live = useLive([workflowKey], 1);
  const missing = missingOf(live);
  const line = onlyLine(live);
  const { reply, error } = useReply('resources_page', { workflow_key: workflowKey }, live.version, 3000);
  const trouble = live.trouble ?? error;
  const usage = reply?.usage ?? [];
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main>
      <WorkflowHead workflowKey={workflowKey} line={line} at="resources" />
      {trouble === null ? null : <Trouble error={trouble} />}
      {reply === null && trouble === null ? <p class="faint">loading ..</p> : null}
      {reply !== null && usage.length === 0 ? <Empty>No job has been measured yet.</Empty> : null}
      {usage.length === 0 ? null : (
        <>
          <p class="legend" aria-hidden="true">
            <span>
              <i class="swatch had" /> requested
            </span>
            <span>
              <i class="swatch given" /> the most that was used
            </span>
            <span>
              <i class="swatch used" /> 95 % used less
            </span>
            <span>
              <i class="swatch mark" /> proposed
            </span>
          </p>
          <table class="plain usage">
            <thead>
              <tr>
                <th>jobs named</th>
                <th />
                <th class="grow">used of the request</th>
                <th class="number">requested</th>
                <th class="number">most</th>
                <th class="number narrow">95 %</th>
                <th class="number narrow">median</th>
                <th class="number">proposed</th>
                <th>finding</th>
              </tr>
            </thead>
            {usage.slice(0, mostStems).map((row) => (
              <tbody key={row.stem}>
                {measures.map(({ field, word, text }, index) => (
                  <tr key={field}>
                    {index > 0 ? null : (
                      <th scope="rowgroup" class="stem" rowSpan={measures.length}>
                        <a href={listHref(workflowKey, 'jobs', { filters: [{ column: 'name', value: row.stem }] })}>
                          {row.stem}
                        </a>
                        <div class="faint">{attemptsText(row)}</div>
                      </th>
                    )}
                    <td class="faint">{word}</td>
                    <MeasureCells measure={row[field]} text={text} />
                  </tr>
                ))}
              </tbody>
            ))}
          </table>
          {usage.length > mostStems ? (
            <p class="faint">
              .. and {formatCount(usage.length - mostStems)} more kinds of jobs:{' '}
              <TypedCommand words={`reports resources ${workflowKey}`} />
            </p>
          ) : null}
        </>
      )}
      {reply?.typed != null ? (
        <Section title="Change the requests of the jobs that are still to run">
          <Command text={reply.typed} />
          <Actions commands={['correct-resources']} of={workflowKey} />
        </Section>
      ) : null}
    </main>
  );
}

function attemptsText({ num_attempts, num_oom, num_timeouts }: UsageRow): string {
  const parts = [
    `${formatCount(num_attempts)} ${num_attempts === 1 ? 'attempt' : 'attempts'}`,
    ...(num_oom > 0 ? [`${formatCount(num_oom)} out of memory`] : []),
    ...(num_timeouts > 0 ? [`${formatCount(num_timeouts)} out of time`] : []),
  ];
  return parts.join(', ');
}

function MeasureCells({ measure, text }: { measure: Measure; text: (value: number) => string }) {
  const { requested, requested_min: least, max, p95, median, proposed, finding } = measure;
  const shown = (value: number | null): string => (value === null ? '' : text(value));
  const [tone, word] = finding === null ? ['', ''] : findings[finding];
  return (
    <>
      <td class="grow">
        <UseBar measure={measure} />
      </td>
      <td class="number">{least === requested ? shown(requested) : `${shown(least)}..${shown(requested)}`}</td>
      <td class="number">{shown(max)}</td>
      <td class="number narrow">{shown(p95)}</td>
      <td class="number narrow">{shown(median)}</td>
      <td class="number">{shown(proposed)}</td>
      <td class={tone}>{word}</td>
    </>
  );
}

/** The numbers are in the cells beside it. */
function UseBar({ measure: { requested, max, p95, proposed, finding } }: { measure: Measure }) {
  if (max === null) return <span class="faint">not measured</span>;
  const most = Math.max(requested ?? 0, max, finding === null ? 0 : (proposed ?? 0), Number.MIN_VALUE);
  const width = (value: number): { width: string } => ({ width: `${(value / most) * 100}%` });
  return (
    <div class="use-bar" aria-hidden="true">
      {requested === null ? null : <span class="had" style={width(requested)} />}
      <span class="given" style={width(max)} />
      {p95 === null ? null : <span class="used" style={width(p95)} />}
      {finding === null || proposed === null ? null : (
        <span class="mark" style={{ left: `${(proposed / most) * 100}%` }} />
      )}
    </div>
  );
}
