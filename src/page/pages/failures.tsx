/** How jobs of a workflow failed: by cause and return code, and by what they said. */
import type { WorkflowPage as PageReply } from '../../api/dash.ts';
import { formatCount, plainOutput } from '../format.ts';
import { Section, Status } from '../parts.tsx';
import { jobHref, listHref } from '../route.ts';

export function FailureList({ workflowKey, failures }: { workflowKey: string; failures: PageReply['failures'] }) {
  if (failures.length === 0) return null;
  return (
    <Section title="Failures">
      {failures.map((group) => {
        const { cause, return_code, num_jobs, how, shown } = group;
        const filters =
          cause === null
            ? [{ column: 'orphaned', value: 'true' }]
            : [
                { column: 'outcome', value: 'failed' },
                { column: 'cause', value: cause },
                ...(return_code === null ? [] : [{ column: 'return_code', value: String(return_code) }]),
              ];
        return (
          <article class="failure" key={how}>
            <h3>
              <Status
                of={cause === null ? 'lost' : 'failed'}
                word={`${formatCount(num_jobs)} ${num_jobs === 1 ? 'job' : 'jobs'} ${how}`}
              />{' '}
              <a href={listHref(workflowKey, 'jobs', { filters })}>show {num_jobs === 1 ? 'it' : 'all'}</a>
            </h3>
            {alike(shown).map(([job, others]) => (
              <FailedJob key={job.job_key} job={job} others={others} />
            ))}
          </article>
        );
      })}
    </Section>
  );
}

type ShownFailure = PageReply['failures'][number]['shown'][number];

/** Jobs whose messages differ only in numbers, with the first of them. */
function alike(shown: readonly ShownFailure[]): [first: ShownFailure, others: ShownFailure[]][] {
  const found = new Map<string, [ShownFailure, ShownFailure[]]>();
  for (const job of shown) {
    const said = `${job.detail} ${job.stderr_tail?.join('\n')}`.replace(/\d+/g, '#');
    const same = found.get(said);
    if (same === undefined) found.set(said, [job, []]);
    else same[1].push(job);
  }
  return [...found.values()];
}

function FailedJob({ job, others }: { job: ShownFailure; others: readonly ShownFailure[] }) {
  const { job_key, job_name, hostname, attempt_id, command, detail, stderr_tail } = job;
  return (
    <div class="failed-job">
      <a href={jobHref(job_key)}>{job_name}</a>
      <span class="faint">
        {' '}
        job {job_key}
        {hostname === null ? '' : ` on ${hostname}`}
        {attempt_id !== null && attempt_id > 1 ? `, attempt ${attempt_id}` : ''}
      </span>
      <code class="line">$ {command}</code>
      {detail === null ? null : <div>{detail}</div>}
      {stderr_tail === null || stderr_tail.length === 0 ? null : (
        <pre class="tail">{plainOutput(stderr_tail.join('\n'))}</pre>
      )}
      {others.length === 0 ? null : (
        <div class="faint">
          likewise{' '}
          {others.map(({ job_key, job_name }, at) => (
            <span key={job_key}>
              {at > 0 ? ', ' : ''}
              <a href={jobHref(job_key)}>{job_name}</a>
            </span>
          ))}
        </div>
      )}
    </div>
  );
}
