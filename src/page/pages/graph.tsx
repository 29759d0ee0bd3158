/** The graph of a workflow: its stages and jobs as boxes, what waits for what, and the jobs of a box on request. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CallError, CallReply } from '../call.ts';
import { formatCount } from '../format.ts';
import { Drawing } from '../graph/drawing.tsx';
import { countsOf, type Group, groupHref, shareOf } from '../graph/groups.ts';
import { withoutImplied } from '../graph/reduction.ts';
import { type Asked, missingOf, onlyLine, useLive, useReply } from '../hooks.ts';
import { Empty, JobStatus, Progress, Status, Trouble } from '../parts.tsx';
import { graphHref, jobHref, parseRoute } from '../route.ts';
import { NoWorkflow, WorkflowHead } from './head.tsx';
import { graphEveryMs, StageTable } from './stages.tsx';

/** Jobs of a group that are shown, at most. */
const mostJobs = 20;
/** A drawing with more lines is a black area, which takes long to lay out. */
const mostLines = 1500;

export function GraphPage({ workflowKey, open }: { workflowKey: string; open: string | null }) {
  const live = useLive([workflowKey], 1);
  const missing = missingOf(live);
  const line = onlyLine(live);
  const graph = useReply('workflow_graph', line && { workflow_key: workflowKey }, live.version, graphEveryMs);
  const request = open === null || line === null ? null : { workflow_key: workflowKey, job_key: open, limit: mostJobs };
  const shown = useReply('graph_group', request, live.version, graphEveryMs);
  const [failure, setFailure] = useState<CallError | null>(null);
  const panel = useRef<HTMLElement>(null);
  const { reply } = graph;
  const groups = reply?.groups ?? none;
  const trouble = live.trouble ?? graph.error ?? failure;
  const first = shown.reply?.first_job_key ?? open;
  const chosen = open === null ? -1 : groups.findIndex(({ first_job_key }) => first_job_key === first);
  const group = groups[chosen];
  const choose = useCallback((key: string) => toggle(workflowKey, key), [workflowKey]);
  useEscape();
  useEffect(() => {
    if (open !== null && document.activeElement?.matches('.box:focus-visible')) panel.current?.focus();
  }, [open]);
  const lines = useLines(reply);
  const isTangled = lines.length > mostLines;
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main class="list graph">
      <WorkflowHead workflowKey={workflowKey} line={line} at="graph" />
      {trouble === null ? null : <Trouble error={trouble} />}
      <div class="graph-area">
        {reply === null ? (
          <p class="faint">{trouble === null ? 'loading ..' : ''}</p>
        ) : groups.length === 0 ? (
          <Empty>The workflow has no jobs.</Empty>
        ) : isTangled ? (
          <Empty>
            {formatCount(lines.length)} lines between {formatCount(groups.length)} boxes are too many to draw. The
            stages are listed below.
          </Empty>
        ) : (
          <Drawing
            title={`graph of ${reply.name}: jobs in ${formatCount(groups.length)} boxes`}
            groups={groups}
            edges={reply.edges}
            shown={lines}
            chosen={chosen < 0 ? null : chosen}
            panel={panel}
            choose={choose}
            failed={setFailure}
          />
        )}
        {open === null ? null : (
          <aside ref={panel} tabIndex={-1} aria-label="jobs of a box">
            <button type="button" class="quiet close" aria-label="close" onClick={() => close(workflowKey)}>
              ✕
            </button>
            <GroupJobs workflowKey={workflowKey} group={group ?? null} shown={shown} />
          </aside>
        )}
      </div>
      <details class="stages-list" open={isTangled}>
        <summary>As a list</summary>
        <StageTable workflowKey={workflowKey} groups={groups} />
      </details>
    </main>
  );
}

const none: readonly Group[] = [];

/** The lines that are drawn; the same ones as long as the graph is. */
function useLines(reply: CallReply<'workflow_graph'> | null): readonly (readonly [number, number])[] {
  const structure = JSON.stringify([reply?.groups.length ?? 0, reply?.edges ?? []]);
  return useMemo(() => withoutImplied(...(JSON.parse(structure) as [number, [number, number][]])), [structure]);
}

/** What is open is in the address alone. */
function toggle(workflowKey: string, firstJobKey: string): void {
  const route = parseRoute(location.hash);
  const isOpen = route.page === 'graph' && route.open === firstJobKey;
  location.hash = graphHref(workflowKey, isOpen ? null : firstJobKey);
}

/** The keyboard goes back from the panel to its box. */
function close(workflowKey: string): void {
  if (document.activeElement?.closest('aside')) document.querySelector<SVGElement>('.box.chosen')?.focus();
  location.hash = graphHref(workflowKey);
}

function useEscape(): void {
  useEffect(() => {
    const press = ({ key, target }: KeyboardEvent): void => {
      const route = parseRoute(location.hash);
      const isElsewhere = target instanceof Element && target.closest('dialog, input, select') !== null;
      if (key === 'Escape' && !isElsewhere && route.page === 'graph' && route.open !== null) close(route.key);
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

interface GroupJobsProps {
  workflowKey: string;
  group: Group | null;
  shown: Asked<CallReply<'graph_group'>>;
}

/** How the jobs of a group are, and some of them. */
function GroupJobs({ workflowKey, group, shown: { reply, error } }: GroupJobsProps) {
  if (error !== null) return <Trouble error={error} />;
  if (group === null || reply === null) return <p class="faint">loading ..</p>;
  const numMore = reply.num_jobs - reply.jobs.length;
  return (
    <>
      <h3>{group.label}</h3>
      <Progress parts={shareOf(group)} total={group.num_jobs} />
      <ul class="counts">
        {countsOf(workflowKey, group).map(({ word, count, href }) => (
          <li key={word}>
            <Status of={word} />
            {href === null ? <span>{formatCount(count)}</span> : <a href={href}>{formatCount(count)}</a>}
          </li>
        ))}
      </ul>
      <h4>{numMore > 0 ? `${formatCount(reply.jobs.length)} of ${formatCount(reply.num_jobs)} jobs` : 'jobs'}</h4>
      <ul class="neighbors">
        {reply.jobs.map(({ job_key, name, status, outcome, orphaned }) => (
          <li key={job_key}>
            <a href={jobHref(job_key)}>{name}</a>
            <JobStatus status={status} outcome={outcome} orphaned={orphaned} />
          </li>
        ))}
      </ul>
      {numMore > 0 ? (
        <p>
          <a href={groupHref(workflowKey, group)}>all jobs named {group.label}</a>
        </p>
      ) : null}
    </>
  );
}
