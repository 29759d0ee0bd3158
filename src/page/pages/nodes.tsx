/** The nodes of a workflow: workers and allocations now, what its autoscaler does, and which allocations it needs. */
import { useState } from 'preact/hooks';
import type { RecordOf } from '../../api/contract.ts';
import type { NodesPage as NodesReply } from '../../api/dash.ts';
import { Actions, commandOf, commandsFor } from '../actions.tsx';
import { formatCount, formatDuration, formatMemory } from '../format.ts';
import { missingOf, onlyLine, useLive, useReply } from '../hooks.ts';
import { AllocationStatus, Command, Empty, Section, Status, Time, Trouble } from '../parts.tsx';
import { listHref, timeHref, wholeTime } from '../route.ts';
import { NoWorkflow, WorkflowHead } from './head.tsx';

const mostRows = 50;
const everyMs = 3000;

export function NodesPage({ workflowKey }: { workflowKey: string }) {
  const live = useLive([workflowKey], 1);
  const missing = missingOf(live);
  const line = onlyLine(live);
  const { reply, error } = useReply('nodes_page', { workflow_key: workflowKey }, live.version, everyMs);
  const trouble = live.trouble ?? error;
  const commands = line === null ? [] : commandsFor(line, reply?.autoscaler ?? null);
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main>
      <WorkflowHead workflowKey={workflowKey} line={line} at="nodes" />
      {trouble === null ? null : <Trouble error={trouble} />}
      <Actions
        commands={commands.filter((each) => ['schedule-nodes', 'autoscale', 'autoscale-off'].includes(commandOf(each)))}
        of={workflowKey}
      />
      <div class="columns">
        <Workers workflowKey={workflowKey} version={live.version} />
        <Allocations workflowKey={workflowKey} version={live.version} />
      </div>
      {reply === null ? null : <Autoscaler page={reply} />}
      <Plan workflowKey={workflowKey} />
    </main>
  );
}

function useRecords<L extends 'compute_nodes' | 'allocations'>(
  list: L,
  workflow_key: string,
  filter: { column: string; value: string },
  version: number,
) {
  const request = { list, workflow_key, filters: [filter], sort_by: null, reverse: true, limit: mostRows, skip: 0 };
  const { reply } = useReply('list', request, version, everyMs);
  return reply === null ? null : { records: reply.records as RecordOf<L>[], more: reply.more };
}

interface PartProps {
  workflowKey: string;
  version: number;
}

function Workers({ workflowKey, version }: PartProps) {
  const reply = useRecords('compute_nodes', workflowKey, { column: 'is_active', value: 'true' }, version);
  const aside = <a href={listHref(workflowKey, 'compute_nodes')}>all</a>;
  return (
    <Section title="Workers now" aside={aside}>
      {reply?.records.length === 0 ? <Empty>None.</Empty> : null}
      {reply === null || reply.records.length === 0 ? null : (
        <table class="plain">
          <thead>
            <tr>
              <th>node</th>
              <th class="number">jobs</th>
              <th class="number">cpus</th>
              <th class="number">memory</th>
              <th class="number">gpus</th>
              <th>started</th>
            </tr>
          </thead>
          <tbody>
            {reply.records.map((worker) => (
              <tr key={worker.compute_node_key}>
                <td class="name">
                  <a href={timeHref(workflowKey, 'timeline', { ...wholeTime, node: worker.hostname })}>
                    {worker.hostname}
                  </a>
                  {worker.num_nodes === 1 ? '' : ` and ${worker.num_nodes - 1} more`}{' '}
                  {worker.contact_lost_at === null ? null : <Status of="lost" word="not responding" />}
                </td>
                <td class="number">{worker.num_running}</td>
                <td class="number">{worker.num_cpus}</td>
                <td class="number">{formatMemory(worker.memory_bytes)}</td>
                <td class="number">{worker.num_gpus}</td>
                <td>
                  <Time at={worker.started_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {reply?.more === true ? <p class="faint">.. and more</p> : null}
    </Section>
  );
}

function Allocations({ workflowKey, version }: PartProps) {
  const filter = { column: 'status', value: 'recorded,submitted,running' };
  const reply = useRecords('allocations', workflowKey, filter, version);
  const aside = <a href={listHref(workflowKey, 'allocations')}>all</a>;
  return (
    <Section title="Allocations now" aside={aside}>
      {reply?.records.length === 0 ? <Empty>None is queued or running.</Empty> : null}
      {reply === null || reply.records.length === 0 ? null : (
        <table class="plain">
          <thead>
            <tr>
              <th>Slurm job</th>
              <th>status</th>
              <th class="number">nodes</th>
              <th class="number">time left</th>
              <th>submitted</th>
            </tr>
          </thead>
          <tbody>
            {reply.records.map((each) => (
              <tr key={each.allocation_key}>
                <td>{each.slurm_job_id ?? each.name}</td>
                <td>
                  <AllocationStatus of={each.status} />
                  {each.slurm_reason === null || each.slurm_reason === 'None' ? '' : ` (${each.slurm_reason})`}
                </td>
                <td class="number">{each.num_nodes}</td>
                <td class="number">{each.time_left_seconds === null ? '' : formatDuration(each.time_left_seconds)}</td>
                <td>
                  <Time at={each.submitted_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {reply?.more === true ? <p class="faint">.. and more</p> : null}
    </Section>
  );
}

function Autoscaler({ page: { autoscaler, typed } }: { page: NodesReply }) {
  if (autoscaler === null) {
    return (
      <Section title="Autoscaler">
        <Empty>
          The workflow asks for no nodes by itself. <Command text={typed.autoscale} />
        </Empty>
      </Section>
    );
  }
  const { settings, state, wants } = autoscaler;
  return (
    <Section title="Autoscaler">
      <p>{settings}</p>
      <p>{state}</p>
      {wants.length === 0 ? (
        <p class="faint">Nothing more to submit or cancel now.</p>
      ) : (
        <table class="plain">
          <thead>
            <tr>
              <th>does next</th>
              <th>allocation</th>
              <th>Slurm config</th>
              <th class="number">nodes</th>
              <th class="number">walltime</th>
            </tr>
          </thead>
          <tbody>
            {wants.map(({ action, name, slurm_config, num_nodes, walltime_seconds, slurm_job_id }) => (
              <tr key={`${action} ${name}`}>
                <td>{action}</td>
                <td>{slurm_job_id ?? name}</td>
                <td>{slurm_config ?? ''}</td>
                <td class="number">{formatCount(num_nodes)}</td>
                <td class="number">{formatDuration(walltime_seconds)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Command text={typed.autoscale} />
    </Section>
  );
}

/** The answer of `torc hpc slurm plan`, as it is printed; asked for once, and again by a button. */
function Plan({ workflowKey }: { workflowKey: string }) {
  const [times, setTimes] = useState(0);
  // another one each time, so that it is asked for at once
  return <PlanOnce key={times} workflowKey={workflowKey} again={() => setTimes((count) => count + 1)} />;
}

function PlanOnce({ workflowKey, again }: { workflowKey: string; again: () => void }) {
  const { reply, error } = useReply('node_plan', { workflow_key: workflowKey }, 0);
  return (
    <Section title="Allocations that the jobs need">
      {error === null ? null : <Trouble error={error} />}
      {reply === null && error === null ? <p class="faint">planning ..</p> : null}
      {reply === null ? null : (
        <>
          <div class="plan-line">
            <Command text={reply.typed} />
            <button type="button" onClick={again}>
              plan again
            </button>
          </div>
          <pre
            class={reply.is_possible ? 'tail unwrapped' : 'tail bad'}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
            tabIndex={0}
            role="log"
            aria-label="answer of the command"
          >
            {reply.text}
          </pre>
        </>
      )}
    </Section>
  );
}
