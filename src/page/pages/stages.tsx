/** How far each stage of a workflow is, similar jobs together. */
import type { StatusLine } from '../../api/contract.ts';
import { formatCount } from '../format.ts';
import { useReply } from '../hooks.ts';
import { Progress, Section } from '../parts.tsx';
import { listHref } from '../route.ts';

/** Stages of a larger workflow take the server a second or two, so that they are asked for less often. */
const largeJobs = 50_000;
const stagesEveryMs = { small: 3000, large: 60_000 };
const mostStages = 60;

export function Stages({ workflowKey, line, version }: { workflowKey: string; line: StatusLine; version: number }) {
  const everyMs = line.num_jobs > largeJobs ? stagesEveryMs.large : stagesEveryMs.small;
  const { reply } = useReply('workflow_graph', { workflow_key: workflowKey }, version, everyMs);
  const groups = (reply?.groups ?? []).filter(({ num_jobs }) => num_jobs > 0);
  if (groups.length === 0) return null;
  const order = [...groups].sort((a, b) => a.stage - b.stage);
  return (
    <Section title="Stages">
      <table class="plain">
        <thead>
          <tr>
            <th class="number">stage</th>
            <th>jobs named</th>
            <th class="grow">progress</th>
            <th class="number">done</th>
          </tr>
        </thead>
        <tbody>
          {order.slice(0, mostStages).map(({ label, stage, num_jobs, counts }) => {
            const of = (...names: string[]): number => names.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
            const parts = {
              succeeded: of('done'),
              failed: of('failed'),
              stopped: of('canceled', 'terminated'),
              running: of('submitted', 'submitted_pending'),
            };
            return (
              <tr key={`${stage} ${label}`}>
                <td class="number">{stage}</td>
                <td class="name">
                  <a href={listHref(workflowKey, 'jobs', { filters: [{ column: 'name', value: label }] })}>{label}</a>
                </td>
                <td class="grow">
                  <Progress parts={parts} total={num_jobs} />
                </td>
                <td class="number">
                  {formatCount(of('done', 'failed'))}/{formatCount(num_jobs)}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {order.length > mostStages ? <p class="faint">.. and {order.length - mostStages} more groups of jobs</p> : null}
    </Section>
  );
}
