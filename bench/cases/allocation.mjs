// From the first line of the sbatch script to the first line of the first job, on the Slurm cluster of docker/.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { row, skipped } from '../report.mjs';
import { repeat, root, time, until } from '../support.mjs';

const what = "sbatch script's first line to the first job's first line";
const cluster = join(root, 'docker', 'cluster');

/** The output of a command on the controller, as an ordinary user. */
async function onCluster(words, input = '') {
  return (await time(cluster, ['exec', '--', ...words], { input })).output.trim();
}

/** The reason why this cannot be measured, or null. */
async function reasonToSkip() {
  const { stdout } = spawnSync(cluster, ['info'], { encoding: 'utf8' });
  if (JSON.parse(stdout || '{}').up !== true) return 'the cluster is not up (docker/cluster up)';
  const inode = ['stat', '-L', '-c', '%d:%i'];
  const [here, there] = [
    (await time(inode[0], [...inode.slice(1), join(root, 'dist')])).output,
    await onCluster([...inode, '/torc/dist']),
  ];
  return here.trim() === there ? null : 'the cluster runs another checkout (docker/cluster up from this one)';
}

/**
 * Bash reads this before the first line of a script. It records the time once for each allocation and removes itself,
 * so that jobs, which bash also runs, start as usual.
 */
const noteStart = `if [ -n "$SLURM_JOB_ID" ]; then
  [ -e "$BENCH_DIR/script" ] || echo "$EPOCHREALTIME" >"$BENCH_DIR/script"
  unset BASH_ENV
fi
`;

/** Milliseconds of one allocation, submitted for a workflow of one job. */
async function measure(directory) {
  await onCluster(['mkdir', directory]);
  await onCluster(['sh', '-c', 'cat >"$1"/bash_env', 'sh', directory], noteStart);
  const env = ['env', '-C', directory, `TORC_DIR=${directory}/../server`];
  const variables = [`BASH_ENV=${directory}/bash_env`, `BENCH_DIR=${directory}`];
  const torcOn = async (words, input) => JSON.parse(await onCluster([...env, 'torc', '-F', 'json', ...words], input));
  const jobs = [{ name: 'first', command: `date +%s.%6N >'${directory}/job'` }];
  const { workflow_key: key } = await torcOn(['workflows', 'create', '-'], JSON.stringify({ name: 'one', jobs }));
  await torcOn(['workflows', 'start', key]);
  await torcOn(['-k', key, 'hpc', 'slurm', 'add-config', '-a', 'torc', '-w', '00:05:00', '-m', '500M']);
  const submit = ['torc', '-F', 'json', '-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '1'];
  await onCluster([...env, ...variables, ...submit]);
  const isEnded = async () => (await torcOn(['workflows', 'show', key])).num_done === 1;
  await until('the job is done', isEnded, 120);
  const instant = async (name) => Number((await onCluster(['cat', `${directory}/${name}`])).replace(',', '.')) * 1000;
  return (await instant('job')) - (await instant('script'));
}

export async function allocation({ runs }) {
  const reason = await reasonToSkip();
  if (reason !== null) return [skipped(what, reason)];
  const directory = await onCluster(['mktemp', '-d', '/shared/torc-bench-XXXXXX']);
  const env = ['env', '-C', directory, `TORC_DIR=${directory}/server`];
  try {
    await onCluster([...env, 'torc', 'server', 'start', '--daemon']);
    const samples = await repeat(runs, (run) => measure(join(directory, `run${run}`)));
    return [row(what, samples, 'ms', { budget: { atMost: 1500 } })];
  } finally {
    await onCluster([...env, 'torc', 'server', 'stop']);
    await onCluster(['rm', '-rf', directory]);
  }
}
