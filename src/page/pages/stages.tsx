/** How far each stage of a workflow is, similar jobs together. */
import { formatCount } from '../format.ts';
import { type Group, groupHref, numDone, shareOf } from '../graph/groups.ts';
import { useReply } from '../hooks.ts';
import { Progress, Section } from '../parts.tsx';
import { graphHref } from '../route.ts';

const mostStages = 60;
/** The graph of a workflow, which may take the server a second. */
export const graphEveryMs = 3000;

export function Stages({ workflowKey, version }: { workflowKey: string; version: number }) {
  const { reply } = useReply('workflow_graph', { workflow_key: workflowKey }, version, graphEveryMs);
  if (reply === null || reply.num_jobs === 0) return null;
  return (
    <Section title="Stages" aside={<a href={graphHref(workflowKey)}>graph</a>}>
      <StageTable workflowKey={workflowKey} groups={reply.groups} most={mostStages} />
    </Section>
  );
}

interface StageTableProps {
  workflowKey: string;
  groups: readonly Group[];
  most?: number;
}

export function StageTable({ workflowKey, groups, most = Number.POSITIVE_INFINITY }: StageTableProps) {
  const order = groups.filter(({ num_jobs }) => num_jobs > 0).sort((a, b) => a.stage - b.stage);
  return (
    <>
      <table class="plain">
        <thead>
          <tr>
            <th class="number narrowest">stage</th>
            <th>jobs named</th>
            <th class="grow">progress</th>
            <th class="number narrowest">done</th>
          </tr>
        </thead>
        <tbody>
          {order.slice(0, most).map((group) => (
            <tr key={group.first_job_key}>
              <td class="number">{group.stage}</td>
              <td class="name">
                <a href={groupHref(workflowKey, group)}>{group.label}</a>
              </td>
              <td class="grow">
                <Progress parts={shareOf(group)} total={group.num_jobs} />
              </td>
              <td class="number">
                {formatCount(numDone(group))}/{formatCount(group.num_jobs)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {order.length > most ? <p class="faint">.. and {order.length - most} more groups of jobs</p> : null}
    </>
  );
}
