/** A list of a workflow: the filters and sorting of the list commands, kept in the address. */
import { useEffect, useState } from 'preact/hooks';
import type { ListName, StatusLine } from '../../api/contract.ts';
import { filtersText, type ListFilter, parseFilters, withFilter } from '../filters.ts';
import { formatCount } from '../format.ts';
import { missingOf, onlyLine, useLive } from '../hooks.ts';
import { Status, Trouble, TypedCommand } from '../parts.tsx';
import { type ListQuery, listHref } from '../route.ts';
import { Table } from '../table.tsx';
import { NoWorkflow, WorkflowHead } from './head.tsx';

/** What is said where there is nothing, and what to type for something. */
const emptyTexts: Partial<Record<ListName, readonly [text: string, ...words: string[]]>> = {
  jobs: ['No job matches.'],
  results: ['No result yet, or none that matches.'],
  events: ['Nothing has happened yet, or nothing that matches.'],
  compute_nodes: ['No worker yet, or none that matches.', 'jobs run KEY', '-k KEY hpc slurm schedule-nodes -n 1'],
  allocations: ['No allocation yet, or none that matches.', '-k KEY hpc slurm schedule-nodes -n 1'],
  files: ['The workflow declares no files, or none that matches.'],
  user_data: ['The workflow has no user data, or none that matches.'],
  runs: ['The workflow has not started.', 'workflows start KEY'],
};

export function ListPage({ workflowKey, list, query }: { workflowKey: string; list: ListName; query: ListQuery }) {
  const live = useLive([workflowKey], 1);
  const missing = missingOf(live);
  const line = onlyLine(live);
  const go = (next: ListQuery): void => {
    location.hash = listHref(workflowKey, list, next);
  };
  // the newest events first, unless somebody sorts them
  const isNewestFirst = list === 'events' && query.sortBy === null && !query.isReversed;
  const shown = isNewestFirst ? { ...query, isReversed: true } : query;
  if (missing !== null) return <NoWorkflow error={missing} />;
  return (
    <main class="list">
      <WorkflowHead workflowKey={workflowKey} line={line} at={list} />
      {live.trouble === null ? null : <Trouble error={live.trouble} />}
      <Filter list={list} filters={query.filters} change={(filters) => go({ ...query, filters })} />
      {list === 'jobs' && line !== null ? (
        <Chips line={line} filters={query.filters} change={(filters) => go({ ...query, filters })} />
      ) : null}
      <Table
        source={{ list, workflowKey, query: shown }}
        version={live.version}
        expected={list === 'jobs' ? expectedJobs(line, query.filters) : null}
        sort={go}
        empty={<NothingOf list={list} workflowKey={workflowKey} />}
      />
    </main>
  );
}

function NothingOf({ list, workflowKey }: { list: ListName; workflowKey: string }) {
  const [text, ...commands] = emptyTexts[list] ?? ['Nothing.'];
  return (
    <>
      {text}
      {commands.map((words) => (
        <TypedCommand key={words} words={words.replace('KEY', workflowKey)} />
      ))}
    </>
  );
}

interface FilterProps {
  list: ListName;
  filters: readonly ListFilter[];
  change: (filters: ListFilter[]) => void;
}

function Filter({ list, filters, change }: FilterProps) {
  const text = filtersText(filters);
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  const submit = (): void => change(parseFilters(typed, list === 'results' ? 'job_name' : 'name'));
  return (
    <form
      class="filter-line"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <input
        type="search"
        class="filter"
        aria-label="filter: column=value, as with -f"
        placeholder={`${list === 'jobs' ? 'status=ready  name=sim_*' : 'column=value'}  ( / )`}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onChange={submit}
        spellcheck={false}
      />
      {filters.length === 0 ? null : (
        <button type="button" onClick={() => change([])}>
          show all
        </button>
      )}
    </form>
  );
}

interface Chip {
  status: string;
  column: string;
  value: string;
  count: number;
}

function chipsOf(line: StatusLine): Chip[] {
  const all: Chip[] = [
    { status: 'running', column: 'status', value: 'submitted,submitted_pending', count: line.num_running },
    { status: 'failed', column: 'outcome', value: 'failed', count: line.num_failed },
    { status: 'lost', column: 'orphaned', value: 'true', count: line.num_lost },
    { status: 'done', column: 'status', value: 'done', count: line.num_done },
    { status: 'ready', column: 'status', value: 'ready', count: line.num_ready },
    { status: 'blocked', column: 'status', value: 'blocked', count: line.num_blocked },
    { status: 'canceled', column: 'status', value: 'canceled', count: line.num_canceled },
    { status: 'terminated', column: 'status', value: 'terminated', count: line.num_terminated },
    { status: 'uninitialized', column: 'status', value: 'uninitialized', count: line.num_uninitialized },
    { status: 'disabled', column: 'status', value: 'disabled', count: line.num_disabled },
  ];
  return all.filter(({ count }) => count > 0);
}

/** A button for each status that a job has. */
function Chips({ line, filters, change }: { line: StatusLine } & Pick<FilterProps, 'filters' | 'change'>) {
  return (
    <nav class="chips" aria-label="jobs by status">
      {chipsOf(line).map(({ status, column, value, count }) => {
        const isOn = filters.some((each) => each.column === column && each.value === value);
        const others = ['status', 'outcome', 'orphaned'].reduce<ListFilter[]>(
          (left, name) => withFilter(left, name, null),
          [...filters],
        );
        return (
          <button
            key={status}
            type="button"
            class="chip"
            aria-pressed={isOn}
            onClick={() => change(isOn ? others : [...others, { column, value }])}
          >
            <Status of={status} /> {formatCount(count)}
          </button>
        );
      })}
    </nav>
  );
}

/** How many jobs there are of the only filter, by the counts of the workflow. */
function expectedJobs(line: StatusLine | null, filters: readonly ListFilter[]): number | null {
  if (line === null) return null;
  const [only, ...others] = filters;
  if (only === undefined) return line.num_jobs;
  if (others.length > 0) return null;
  const chip = chipsOf(line).find(({ column, value }) => column === only.column && value === only.value);
  return chip?.count ?? null;
}
