/** Whether the server and Slurm answer. */
import { hostname } from 'node:os';
import { shownAddress } from '../../api/addresses.ts';
import { readServerFile } from '../../api/server-file.ts';
import { schemaVersion } from '../../base/program.ts';
import { counted } from '../../base/text.ts';
import { version } from '../../base/version.ts';
import { systemSlurm } from '../../slurm/commands.ts';
import type { Context } from '../context/context.ts';
import { isOnPath } from '../input/programs.ts';
import { unreachedText, unreachedWorkers } from '../output/unreached.ts';
import { type Finding, failed, ok, warning } from './doctor-findings.ts';

const mostSecondsApart = 5;
const probeTimeoutMs = 3_000;

export async function checkServer({ directory, torc }: Context): Promise<Finding> {
  const file = readServerFile(directory);
  if (file === null) return ok('none is running; commands that need one start it');
  // loaded only where there is something to ask
  const { askServer } = await import('../connection/daemon.ts');
  const sentAt = Date.now();
  const info = await askServer(directory);
  const endedAt = Date.now();
  const place = `${file.hostname} (pid ${file.pid}, version ${file.version})`;
  if (info === null) {
    const where = file.hostname === hostname() ? '' : ` Or look at it: ssh ${file.hostname}`;
    const why = await problemOf(directory);
    return warning(`${place} does not answer${why}`, `Start one here: ${torc} server start --daemon.${where}`);
  }
  const now = Date.parse(info.now ?? '');
  const apart = Math.max(sentAt - now, now - endedAt, 0) / 1000;
  if (info.version !== version() || info.schema_version !== schemaVersion()) {
    return warning(
      `${place} is not the version of this command`,
      `${torc} server stop && ${torc} server start --daemon`,
    );
  }
  if (apart > mostSecondsApart) {
    return warning(
      `the clock of ${place} differs by ${apart.toFixed(1)} s`,
      'Ask your administrators to synchronize the clocks (chrony, ntp).',
    );
  }
  return ok(`${place} answers in ${endedAt - sentAt} ms`);
}

/** Which addresses were tried, and why each failed. */
async function problemOf(directory: string): Promise<string> {
  const { isUnreached, openClient } = await import('../../api/client.ts');
  const client = openClient(directory);
  try {
    await client.call('server_info', {}, { timeoutMs: probeTimeoutMs });
    return '';
  } catch (error) {
    return isUnreached(error) && error instanceof Error && error.cause instanceof Error
      ? `: ${error.cause.message}`
      : '';
  } finally {
    await client.close();
  }
}

/** Where workers look for the server, and which of them do not reach it. */
export function checkNetwork({ directory }: Context): Finding {
  const [first, ...others] = unreachedWorkers(directory, Date.now());
  if (first !== undefined) {
    const more = others.length === 0 ? '' : ` (and ${counted(others.length, 'more worker')})`;
    const advice = `On the node: torc doctor. Other addresses, or a relay: torc server start --help.`;
    return warning(`${unreachedText(first).replace(/\.$/, '')}${more}`, advice);
  }
  const file = readServerFile(directory);
  if (file === null) return ok('no server is running');
  return ok(`workers find the server at ${file.addresses.map(shownAddress).join(', ')}`);
}

const commands = ['sbatch', 'squeue', 'scancel', 'sinfo', 'scontrol', 'sacct'];

export async function checkSlurm({ env }: Context): Promise<Finding> {
  const missing = commands.filter((name) => !isOnPath(name, env.PATH ?? ''));
  if (missing.length === commands.length) return ok('not on this machine: jobs run only on this machine');
  const load = 'Load the module that puts the Slurm commands on your PATH.';
  if (missing.length > 0) return failed(`${missing.join(', ')} not found, but others are`, load);
  const slurm = systemSlurm(env);
  const [nodes, queue, accounting] = await Promise.all([
    slurm.sinfo(),
    slurm.squeue({ names: ['torc-doctor'] }),
    slurm.sacct(['1'], Date.now()),
  ]);
  for (const answer of [nodes, queue]) {
    if (answer.kind === 'failed')
      return failed(answer.reason, answer.hint ?? 'Try again in a minute, or ask your administrators.');
  }
  const partitions = nodes.kind === 'ok' ? new Set(nodes.value.records.map(({ partition }) => partition)).size : 0;
  const found = `answers; ${partitions} ${partitions === 1 ? 'partition' : 'partitions'}`;
  if (accounting.kind === 'ok') return ok(found);
  const advice = 'Without accounting, torc knows less about allocations that ended while no server was running.';
  return warning(`${found}; sacct does not work: ${accounting.reason}`, advice);
}
