/** One job: how it is and why, its attempts, what it prints, what it used, what it waits for and what waits for it. */
import type { JobShown } from '../../api/contract.ts';
import type { DashCommand } from '../../api/dash.ts';
import { Actions } from '../actions.tsx';
import { formatCount, formatDuration, formatMemory } from '../format.ts';
import { onlyLine, useLive, useReply } from '../hooks.ts';
import { Command, type Fact, Facts, JobStatus, Section, Status, Time, Trouble } from '../parts.tsx';
import { graphHref, jobHref, workflowHref } from '../route.ts';
import { JobLog } from './log.tsx';
import { JobSeries } from './series.tsx';

type Attempt = JobShown['attempts'][number];

const mostAttempts = 20;

export function JobPage({ jobKey, attempt }: { jobKey: string; attempt: string | null }) {
  const first = useReply('job_page', { job_key: jobKey }, 0);
  if (first.error !== null && first.reply === null) {
    return (
      <main>
        <Trouble error={first.error} />
      </main>
    );
  }
  if (first.reply === null) return <main class="faint">loading ..</main>;
  return <Followed jobKey={jobKey} workflowKey={first.reply.shown.job.workflow_key} attempt={attempt} />;
}

/** Asked for again whenever the workflow changes. */
function Followed({ jobKey, workflowKey, attempt }: { jobKey: string; workflowKey: string; attempt: string | null }) {
  const live = useLive([workflowKey], 1);
  const { reply, error } = useReply('job_page', { job_key: jobKey }, live.version);
  const trouble = live.trouble ?? error;
  if (reply === null) return <main>{trouble === null ? '' : <Trouble error={trouble} />}</main>;
  const { shown, reasons } = reply;
  const { job, attempts } = shown;
  const chosen = attempts.find((each) => nameOf(each) === attempt) ?? attempts.at(-1) ?? null;
  const name = onlyLine(live)?.name ?? `workflow ${workflowKey}`;
  return (
    <main>
      <header class="workflow">
        <div class="path">
          <a href={workflowHref(workflowKey)}>{name}</a> <span class="faint">/ job {jobKey}</span> ·{' '}
          <a href={graphHref(workflowKey, jobKey)}>graph</a>
        </div>
        <div class="title">
          <h1>{job.name}</h1>
          <JobStatus status={job.status} outcome={job.outcome} orphaned={job.orphaned} />
        </div>
      </header>
      {trouble === null ? null : <Trouble error={trouble} />}
      <Facts facts={factsOf(shown, chosen)} />
      <Actions commands={commandsOf(shown)} of={jobKey} />
      <pre class="script">
        {job.invocation_script === null ? job.command : `${job.invocation_script} ${job.command}`}
      </pre>
      <Why shown={shown} reasons={reasons} attempt={chosen} />
      {chosen === null ? null : <JobLog attempt={chosen} isNewest={chosen === attempts.at(-1)} status={job.status} />}
      {chosen === null ? null : <JobSeries attempt={chosen} version={live.version} />}
      {attempts.length > 1 ? <Attempts jobKey={jobKey} attempts={attempts} chosen={chosen} /> : null}
      <Neighbors shown={shown} />
      <Data shown={shown} />
    </main>
  );
}

function commandsOf({ job }: JobShown): DashCommand[] {
  const waits = ['uninitialized', 'blocked', 'ready'].includes(job.status);
  const isHeld: DashCommand[] = job.held ? ['jobs-release'] : waits ? ['jobs-hold'] : [];
  const runs = job.status === 'submitted' || job.status === 'submitted_pending';
  const hasSucceeded = job.status === 'done' && job.outcome !== 'failed';
  const marked: DashCommand[] = runs || hasSucceeded || job.status === 'disabled' ? [] : ['jobs-mark-done'];
  return [...isHeld, ...(waits || runs ? (['jobs-cancel'] as const) : []), ...marked];
}

/** Run and attempt. */
function nameOf({ run_id, attempt_id }: Attempt): string {
  return `${run_id}.${attempt_id}`;
}

function factsOf({ job }: JobShown, attempt: Attempt | null): (Fact | null)[] {
  const fact = <T,>(name: string, value: T | null | undefined, write: (value: T) => Fact['value']): Fact | null =>
    value == null ? null : { name, value: write(value) };
  return [
    fact('return code', attempt?.return_code, String),
    fact('cause', attempt?.cause, String),
    fact('started', attempt?.start_time, (at) => <Time at={at} />),
    fact('ran for', attempt?.exec_time_seconds, formatDuration),
    fact('on', attempt?.hostname, String),
    fact('Slurm job', attempt?.slurm_job_id, String),
    memoryFact(job, attempt),
    {
      name: 'cpus',
      value: `${cpuText(attempt)}${job.num_cpus}`,
    },
    job.num_gpus === 0 ? null : { name: 'gpus', value: String(job.num_gpus) },
    job.num_nodes === 1 ? null : { name: 'nodes', value: formatCount(job.num_nodes) },
    job.is_runtime_stated ? { name: 'runtime asked for', value: formatDuration(job.runtime_seconds) } : null,
    job.priority === 0 ? null : { name: 'priority', value: formatCount(job.priority) },
    fact('limits', job.limits, String),
    fact('labels', job.labels, String),
    job.held ? { name: 'held', value: 'yes' } : null,
  ];
}

function memoryFact({ memory_bytes, is_memory_stated }: JobShown['job'], attempt: Attempt | null): Fact | null {
  const peak = attempt?.peak_memory_bytes;
  const asked = is_memory_stated ? formatMemory(memory_bytes) : null;
  if (peak == null) return asked === null ? null : { name: 'memory', value: asked };
  return { name: 'memory', value: `${formatMemory(peak)} at most${asked === null ? '' : `, of ${asked}`}` };
}

/** How many CPUs it kept busy on average. */
function cpuText(attempt: Attempt | null): string {
  const { cpu_seconds: used, exec_time_seconds: took } = attempt ?? {};
  return used == null || took == null || took < 1 ? '' : `${(used / took).toFixed(1)} busy, of `;
}

interface WhyProps {
  shown: JobShown;
  reasons: readonly { text: string; help: readonly string[] }[];
  attempt: Attempt | null;
}

function Why({ shown, reasons, attempt }: WhyProps) {
  const { diagnosis, job } = shown;
  const isShown = attempt === shown.attempts.at(-1);
  const details = [isShown ? diagnosis?.explanation : null, attempt?.diagnosis?.explanation, attempt?.detail];
  const texts = [...new Set(details.filter((text) => text != null))];
  if (reasons.length === 0 && texts.length === 0) return null;
  const title = job.status === 'done' ? 'How it ended' : 'Why';
  return (
    <Section title={title}>
      <ul class="reasons">
        {texts.map((text) => (
          <li key={text}>{text}</li>
        ))}
        {reasons.map(({ text, help }) => (
          <li key={text}>
            {text}
            {help.map((command) => (
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

function Attempts({
  jobKey,
  attempts,
  chosen,
}: {
  jobKey: string;
  attempts: readonly Attempt[];
  chosen: Attempt | null;
}) {
  const shown = attempts.slice(-mostAttempts).reverse();
  return (
    <Section title="Attempts" aside={formatCount(attempts.length)}>
      <table class="plain">
        <thead>
          <tr>
            <th class="number">run</th>
            <th class="number">attempt</th>
            <th>ended</th>
            <th class="number">code</th>
            <th>cause</th>
            <th class="number">time</th>
            <th class="number">peak</th>
            <th>node</th>
            <th>started</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((each) => (
            <tr key={nameOf(each)} class={each === chosen ? 'active' : ''}>
              <td class="number">{each.run_id}</td>
              <td class="number">
                <a href={jobHref(jobKey, nameOf(each))}>{each.attempt_id}</a>
              </td>
              <td>
                {each.status === null ? (
                  <Status of="running" />
                ) : (
                  <JobStatus status={each.status} outcome={each.outcome} />
                )}
              </td>
              <td class="number">{each.return_code ?? ''}</td>
              <td>{each.cause ?? ''}</td>
              <td class="number">{each.exec_time_seconds === null ? '' : formatDuration(each.exec_time_seconds)}</td>
              <td class="number">{each.peak_memory_bytes === null ? '' : formatMemory(each.peak_memory_bytes)}</td>
              <td>{each.hostname ?? ''}</td>
              <td>
                <Time at={each.start_time} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {attempts.length > mostAttempts ? (
        <p class="faint">.. and {attempts.length - mostAttempts} earlier ones</p>
      ) : null}
    </Section>
  );
}

const mostNeighbors = 50;

function Neighbors({ shown }: { shown: JobShown }) {
  const { upstream, num_upstream, downstream, num_downstream } = shown;
  const sides = [
    { title: 'Waits for', jobs: upstream, count: num_upstream },
    { title: 'Before', jobs: downstream, count: num_downstream },
  ].filter(({ count }) => count > 0);
  return (
    <div class="columns">
      {sides.map(({ title, jobs, count }) => (
        <Section key={title} title={title} aside={formatCount(count)}>
          <ul class="neighbors">
            {jobs.slice(0, mostNeighbors).map(({ job_key, name, status, outcome }) => (
              <li key={job_key}>
                <a href={jobHref(job_key)}>{name}</a> <JobStatus status={status} outcome={outcome} />
              </li>
            ))}
          </ul>
          {count > mostNeighbors ? <p class="faint">.. and {formatCount(count - mostNeighbors)} more</p> : null}
        </Section>
      ))}
    </div>
  );
}

function Data({ shown }: { shown: JobShown }) {
  const { input_files, output_files, input_user_data, output_user_data, env } = shown;
  const files = [
    ...input_files.map((file) => ['reads', file.name, file.path] as const),
    ...output_files.map((file) => ['writes', file.name, file.path] as const),
    ...input_user_data.map((data) => ['reads data', data.name, JSON.stringify(data.data) ?? ''] as const),
    ...output_user_data.map((data) => ['writes data', data.name, JSON.stringify(data.data) ?? ''] as const),
    ...Object.entries(env).map(([name, value]) => ['environment', name, value] as const),
  ];
  if (files.length === 0) return null;
  return (
    <Section title="Files, data, environment">
      <table class="plain">
        <tbody>
          {files.map(([how, name, value]) => (
            <tr key={`${how} ${name}`}>
              <td class="faint">{how}</td>
              <td>{name}</td>
              <td class="name grow">
                <code>{value}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
