/** All workflows that are not archived, as `torc status` shows them. */
import { useEffect, useState } from 'preact/hooks';
import type { StatusLine } from '../../api/contract.ts';
import { formatCount, formatDuration } from '../format.ts';
import { useLive } from '../hooks.ts';
import { Empty, Progress, partsOf, Status, Time, Trouble, TypedCommand } from '../parts.tsx';
import { listHref, workflowHref } from '../route.ts';

const firstLines = 50;
const mostLines = 200;

export function WorkflowsPage() {
  const [limit, setLimit] = useState(firstLines);
  const { reply, trouble } = useLive(null, limit);
  const [active, setActive] = useState(0);
  const [words, setWords] = useState('');
  const lines = (reply?.workflows ?? []).filter(({ name, status, workflow_key }) =>
    `${workflow_key} ${name} ${status}`.toLowerCase().includes(words.toLowerCase()),
  );
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.target instanceof HTMLElement && event.target.closest('input, button, a, dialog, select') !== null)
        return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
      if (step !== undefined) setActive((at) => Math.max(0, Math.min(lines.length - 1, at + step)));
      else if (event.key === 'Enter' && lines[active] !== undefined) {
        location.hash = workflowHref(lines[active].workflow_key);
      } else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  });
  return (
    <main>
      <div class="title">
        <h1>Workflows</h1>
        <input
          type="search"
          class="filter"
          placeholder="filter by name or status  ( / )"
          aria-label="filter workflows by name or status"
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
        />
      </div>
      {trouble === null ? null : <Trouble error={trouble} />}
      {reply === null || reply.workflows.length > 0 ? null : (
        <Empty>
          There are no workflows yet. Run one: <TypedCommand words="run workflow.yaml" />
        </Empty>
      )}
      {lines.length === 0 ? null : (
        <table class="plain workflows">
          <thead>
            <tr>
              <th class="number">key</th>
              <th>name</th>
              <th>status</th>
              <th class="grow">progress</th>
              <th class="number">done</th>
              <th class="number">failed</th>
              <th class="number">running</th>
              <th class="number narrow">left</th>
              <th class="narrow">started</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line, at) => (
              <Line key={line.workflow_key} line={line} isActive={at === active} />
            ))}
          </tbody>
        </table>
      )}
      {reply?.more === true ? (
        <p class="faint">
          {limit < mostLines ? (
            <button type="button" onClick={() => setLimit(mostLines)}>
              show up to {mostLines}
            </button>
          ) : (
            <>
              Only the newest {mostLines} are shown. All of them: <TypedCommand words="list" />
            </>
          )}
        </p>
      ) : null}
    </main>
  );
}

function Line({ line, isActive }: { line: StatusLine; isActive: boolean }) {
  const { workflow_key: key, num_failed, num_lost } = line;
  const failed = num_failed + num_lost;
  const filters = [num_failed > 0 ? { column: 'outcome', value: 'failed' } : { column: 'orphaned', value: 'true' }];
  return (
    <tr class={isActive ? 'active' : ''} aria-current={isActive ? 'true' : undefined}>
      <td class="number">{key}</td>
      <td class="name">
        <a href={workflowHref(key)}>{line.name}</a>
      </td>
      <td>
        <Status of={line.status} />
      </td>
      <td class="grow">
        <Progress parts={partsOf(line)} total={line.num_jobs} />
      </td>
      <td class="number">
        {formatCount(line.num_done)}/{formatCount(line.num_jobs)}
      </td>
      <td class="number">
        {failed === 0 ? (
          <span class="faint">0</span>
        ) : (
          <a class="bad" href={listHref(key, 'jobs', { filters })}>
            {formatCount(failed)}
          </a>
        )}
      </td>
      <td class="number">{formatCount(line.num_running)}</td>
      <td class="number narrow">{line.eta_seconds === null ? '' : `~${formatDuration(line.eta_seconds)}`}</td>
      <td class="narrow">
        <Time at={line.started_at} none="not started" />
      </td>
    </tr>
  );
}
