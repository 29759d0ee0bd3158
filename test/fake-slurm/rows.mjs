/** Rows as Slurm prints them, for the fields that a format asks for. */

const two = (number) => String(number).padStart(2, '0');

/** Local time, which is that of TZ, as Slurm does it. */
function instant(milliseconds, otherwise) {
  if (milliseconds === null || milliseconds === undefined) return otherwise;
  const at = new Date(milliseconds);
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${date}T${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}

function duration(seconds) {
  if (seconds === null) return 'UNLIMITED';
  const days = Math.floor(seconds / 86400);
  const clock = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
  return days === 0 ? clock : `${days}-${clock}`;
}

const nodes = (job) => (job.numNodes === 1 ? 'fake1' : `fake[1-${job.numNodes}]`);

/** By the names of `squeue --Format`. */
const queued = {
  JobID: (job) => job.id,
  JobArrayID: (job) => job.id,
  State: (job) => job.state.split(' ')[0],
  RestartCnt: (job) => job.restarts,
  SubmitTime: (job) => instant(job.submitMs, 'N/A'),
  StartTime: (job) => instant(job.startMs, 'N/A'),
  EndTime: (job) => instant(job.endMs, 'N/A'),
  TimeLimit: (job) => duration(job.timeLimitSeconds),
  Reason: (job) => job.reason,
  NumNodes: (job) => job.numNodes,
  NodeList: (job) => (job.startMs === null ? '' : nodes(job)),
  Partition: (job) => job.partition,
  Name: (job) => job.name,
};

/** By the names of `sacct --format`. */
const accounted = {
  JobIDRaw: (job) => job.id,
  JobID: (job) => job.id,
  Cluster: () => 'fake',
  State: (job) => job.state,
  ExitCode: (job) => job.exit,
  DerivedExitCode: () => '0:0',
  Submit: (job) => instant(job.submitMs, 'Unknown'),
  Start: (job) => instant(job.startMs, 'Unknown'),
  End: (job) => instant(job.endMs, 'Unknown'),
  Timelimit: (job) => duration(job.timeLimitSeconds),
  NNodes: (job) => job.numNodes,
  NodeList: (job) => (job.startMs === null ? 'None assigned' : nodes(job)),
  ReqMem: (job) => job.directives?.mem ?? '',
  MaxRSS: () => '',
  Reason: (job) => job.reason,
  JobName: (job) => job.name,
};

function value(table, name, job) {
  const field = table[name];
  if (field === undefined) throw new Error(`fake Slurm: no field ${name}`);
  return field(job);
}

/** `Name:|,Name:|` as in `squeue --Format`: each value with its suffix. */
export function queuedRows(jobs, format) {
  const fields = format.split(',').map((field) => /^(\w+):(.*)$/.exec(field) ?? [field, field, ' ']);
  return jobs
    .map((job) => `${fields.map(([, name, suffix]) => value(queued, name, job) + suffix).join('')}\n`)
    .join('');
}

export function accountedRows(jobs, format) {
  return jobs
    .map(
      (job) =>
        `${format
          .split(',')
          .map((name) => value(accounted, name, job))
          .join('|')}\n`,
    )
    .join('');
}

/** One partition of four idle nodes and one of two nodes with GPUs. */
export function sinfoRows(format, { cpusPerNode }) {
  const common = { '%a': 'up', '%l': 'infinite', '%c': cpusPerNode, '%m': 2000, '%T': 'idle' };
  const partitions = [
    { ...common, '%P': 'main*', '%D': 4, '%G': '(null)', '%N': 'fake[1-4]' },
    { ...common, '%P': 'gpu', '%D': 2, '%G': 'gpu:fake:2', '%N': 'fake[5-6]' },
  ];
  return partitions.map((row) => `${format.replace(/%\w/g, (field) => row[field] ?? field)}\n`).join('');
}
