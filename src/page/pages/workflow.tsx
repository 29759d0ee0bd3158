/** One workflow: how far it is, what holds it back, how jobs failed, its workers and what happens. */
import type { RecordOf, StatusLine } from '../../api/contract.ts';
import type { WorkflowPage as PageReply } from '../../api/dash.ts';
import { Actions, commandsFor } from '../actions.tsx';
import { formatCount, formatDuration, formatPace } from '../format.ts';
import { missingOf, onlyLine, useLive, useNow, useReply } from '../hooks.ts';
import {
  AllocationStatus,
  Command,
  Empty,
  type Fact,
  Facts,
  Section,
  Status,
  Time,
  Trouble,
  TypedCommand,
} from '../parts.tsx';
import { jobHref, listHref } from '../route.ts';
import { FailureList } from './failures.tsx';
import { NoWorkflow, WorkflowHead } from './head.tsx';
import { Stages } from './stages.tsx';

const mostWorkers = 12;
const numEvents = 12;

export function WorkflowPage({ workflowKey }: { workflowKey: string }) {
  const live = useLive([workflowKey], 1);
  const missing = missingOf(live);
  const line = onlyLine(live);
  const request = { workflow_key: workflowKey };
  const { reply, error } = useReply('workflow_page', request, live.version);
  const trouble = live.trouble ?? error;
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main>
      <WorkflowHead workflowKey={workflowKey} line={line} at="overview" />
      {trouble === null ? null : <Trouble error={trouble} />}
      {line === null ? null : <Counts line={line} />}
      {line === null || reply === null ? null : (
        <Actions commands={commandsFor(line, reply.page.autoscaler)} of={workflowKey} />
      )}
      {reply === null ? null : (
        <>
          <HeldBack line={line ?? reply.page.workflow} help={reply.help} />
          <FailureList workflowKey={workflowKey} failures={reply.failures} />
          <Next commands={reply.next} />
        </>
      )}
      {line === null ? null : <Stages workflowKey={workflowKey} version={live.version} />}
      <div class="columns">
        {reply === null ? null : <Workers workflowKey={workflowKey} page={reply} />}
        <Limits workflowKey={workflowKey} version={live.version} />
        <Events workflowKey={workflowKey} version={live.version} />
      </div>
    </main>
  );
}

function Counts({ line }: { line: StatusLine }) {
  const key = line.workflow_key;
  const counted = (name: string, count: number, column: string, value: string, isShown = count > 0): Fact | null => {
    if (!isShown) return null;
    const href = listHref(key, 'jobs', { filters: [{ column, value }] });
    return { name, value: <a href={href}>{formatCount(count)}</a> };
  };
  return (
    <Facts
      facts={[
        counted('succeeded', line.num_done - line.num_failed, 'status', 'done', true),
        counted('failed', line.num_failed, 'outcome', 'failed'),
        counted('lost', line.num_lost, 'orphaned', 'true'),
        counted('running', line.num_running, 'status', 'submitted,submitted_pending'),
        counted('ready', line.num_ready, 'status', 'ready'),
        counted('blocked', line.num_blocked, 'status', 'blocked'),
        counted('canceled', line.num_canceled, 'status', 'canceled'),
        counted('terminated', line.num_terminated, 'status', 'terminated'),
        counted('uninitialized', line.num_uninitialized, 'status', 'uninitialized'),
        counted('disabled', line.num_disabled, 'status', 'disabled'),
        ...timeFacts(line, useNow()),
      ]}
    />
  );
}

function timeFacts(line: StatusLine, now: number): Fact[] {
  const { started_at, ended_at, has_ended, jobs_per_second, eta_seconds, recovers_at } = line;
  if (started_at === null) return [];
  const end = has_ended && ended_at !== null ? Date.parse(ended_at) : now;
  return [
    { name: 'started', value: <Time at={started_at} /> },
    { name: has_ended ? 'took' : 'elapsed', value: formatDuration((end - Date.parse(started_at)) / 1000) },
    ...(recovers_at === null ? [] : [{ name: 'recovers', value: <Time at={recovers_at} /> }]),
    ...(eta_seconds === null ? [] : [{ name: 'left, about', value: formatDuration(eta_seconds) }]),
    ...(jobs_per_second === null ? [] : [{ name: 'pace', value: formatPace(jobs_per_second) }]),
  ];
}

function HeldBack({ line, help }: { line: StatusLine; help: PageReply['help'] }) {
  if (line.held_back.length === 0) return null;
  return (
    <Section title="Held back">
      <ul class="reasons">
        {line.held_back.map(({ text }, at) => (
          <li key={text}>
            {text}
            {(help[at] ?? []).map((command) => (
              <div key={command}>
                <Command text={command} />
              </div>
            ))}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Next({ commands }: { commands: readonly string[] }) {
  if (commands.length === 0) return null;
  return (
    <Section title="Next">
      {commands.map((command) => (
        <div key={command}>
          <Command text={command} />
        </div>
      ))}
    </Section>
  );
}

function Workers({ workflowKey, page: { page } }: { workflowKey: string; page: PageReply }) {
  const { workers, allocations, workflow, is_served, cannot_write } = page;
  const aside = <a href={listHref(workflowKey, 'compute_nodes')}>all</a>;
  return (
    <Section title="Workers" aside={aside}>
      {is_served ? null : (
        <p class="warn">
          No server answers the workers. <TypedCommand words="server start --daemon" />
        </p>
      )}
      {cannot_write === null ? null : (
        <p class="warn">
          The server cannot write: {cannot_write.message}. Results wait. <TypedCommand words="doctor" />
        </p>
      )}
      {workers.length === 0 ? (
        <Empty>{workflow.has_ended ? 'None is left.' : 'None.'}</Empty>
      ) : (
        <table class="plain">
          <tbody>
            {workers.slice(0, mostWorkers).map(({ compute_node_key, hostname, slurm_job_id, num_jobs, is_silent }) => (
              <tr key={compute_node_key}>
                <td class="name">{hostname}</td>
                <td>{slurm_job_id === null ? '' : `Slurm job ${slurm_job_id}`}</td>
                <td class="number">{num_jobs} running</td>
                <td>{is_silent ? <Status of="lost" word="not responding" /> : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {workflow.num_active_workers > mostWorkers ? (
        <p class="faint">.. and {formatCount(workflow.num_active_workers - mostWorkers)} more</p>
      ) : null}
      {allocations.length === 0 ? null : (
        <p>
          Allocations:{' '}
          {allocations.map(({ status, num_allocations, slurm_reason, num_without_worker }) => (
            <a
              key={status}
              class="chip"
              href={listHref(workflowKey, 'allocations', { filters: [{ column: 'status', value: status }] })}
            >
              <AllocationStatus of={status} count={num_allocations} />
              {slurm_reason === null || slurm_reason === 'None' ? '' : ` (${slurm_reason})`}
              {num_without_worker === 0 ? '' : `, ${num_without_worker} started without a worker yet`}
            </a>
          ))}
        </p>
      )}
    </Section>
  );
}

function Limits({ workflowKey, version }: { workflowKey: string; version: number }) {
  const { reply } = useReply('limits_list', { workflow_key: workflowKey }, version, 3000);
  if (reply === null || reply.limits.length === 0) return null;
  return (
    <Section title="Limits">
      <table class="plain">
        <tbody>
          {reply.limits.map(({ name, workflow_key, maximum, num_running }) => (
            <tr key={`${workflow_key} ${name}`}>
              <td class="name">{name}</td>
              <td class="faint">{workflow_key === null ? 'shared' : ''}</td>
              <td class="number">
                {num_running} of {maximum} in use
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Events({ workflowKey, version }: { workflowKey: string; version: number }) {
  const request = {
    list: 'events' as const,
    workflow_key: workflowKey,
    filters: [],
    sort_by: null,
    reverse: true,
    limit: numEvents,
    skip: 0,
  };
  const { reply } = useReply('list', request, version);
  const events = (reply?.records ?? []) as RecordOf<'events'>[];
  const aside = <a href={listHref(workflowKey, 'events')}>all</a>;
  return (
    <Section title="Events" aside={aside}>
      {reply !== null && events.length === 0 ? <Empty>Nothing has happened yet.</Empty> : null}
      <table class="plain" aria-live="off">
        <tbody>
          {events.map(({ event_key, timestamp, type, job_key, new_status }) => (
            <tr key={event_key}>
              <td class="time">
                <Time at={timestamp} />
              </td>
              <td>{type}</td>
              <td>{job_key === null ? '' : <a href={jobHref(job_key)}>job {job_key}</a>}</td>
              <td>{new_status === null ? '' : <Status of={new_status} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
