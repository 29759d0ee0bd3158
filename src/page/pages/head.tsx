/** What stands above every page of a workflow: its name, how it is, and its lists. */
import type { ListName, StatusLine } from '../../api/contract.ts';
import type { CallError } from '../call.ts';
import { formatCount } from '../format.ts';
import { Progress, partsOf, Status, Trouble } from '../parts.tsx';
import { graphHref, listHref, type TimeView, timeHref, workflowHref } from '../route.ts';

const titles: readonly (readonly [list: ListName, title: string])[] = [
  ['jobs', 'Jobs'],
  ['results', 'Results'],
  ['events', 'Events'],
  ['compute_nodes', 'Workers'],
  ['allocations', 'Allocations'],
  ['files', 'Files'],
  ['user_data', 'Data'],
  ['runs', 'Runs'],
];

const views: readonly (readonly [view: TimeView, title: string])[] = [
  ['timeline', 'Timeline'],
  ['utilization', 'Utilization'],
  ['resources', 'Resources'],
  ['nodes', 'Nodes'],
];

export function WorkflowHead({ workflowKey, line, at }: { workflowKey: string; line: StatusLine | null; at: string }) {
  return (
    <header class="workflow">
      <div class="title">
        <h1>
          <span class="faint">{workflowKey}</span> {line?.name ?? ''}
        </h1>
        {line === null ? null : (
          <>
            <Status of={line.status} /> <span class="faint">run {line.run_id}</span>
          </>
        )}
      </div>
      {line === null ? null : (
        <div class="wide-bar">
          <Progress parts={partsOf(line)} total={line.num_jobs} />
          <span class="number">
            {formatCount(line.num_done)} of {formatCount(line.num_jobs)} done
          </span>
        </div>
      )}
      <nav aria-label="parts of the workflow">
        <Tab href={workflowHref(workflowKey)} title="Overview" isHere={at === 'overview'} />
        <Tab href={graphHref(workflowKey)} title="Graph" isHere={at === 'graph'} />
        {views.map(([view, title]) => (
          <Tab key={view} href={timeHref(workflowKey, view)} title={title} isHere={at === view} />
        ))}
        {titles.map(([list, title]) => (
          <Tab key={list} href={listHref(workflowKey, list)} title={title} isHere={at === list} />
        ))}
      </nav>
    </header>
  );
}

/** Instead of the page of a workflow that is not there. */
export function NoWorkflow({ error }: { error: CallError }) {
  return (
    <main>
      <Trouble error={error} isAskedAgain={false} />
      <a href="#/">All workflows</a>
    </main>
  );
}

function Tab({ href, title, isHere }: { href: string; title: string; isHere: boolean }) {
  return (
    <a href={href} aria-current={isHere ? 'page' : undefined}>
      {title}
    </a>
  );
}
