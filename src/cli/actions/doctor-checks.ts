/** What `torc doctor` looks at on this machine and in the server directory; nothing is changed. */
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';
import { jobStarterPath, lockSeerPath, programPath, schemaDirectory } from '../../base/program.ts';
import { refuseUnsafePrivateFolder } from '../../base/trusted/private.ts';
import { formatMemory } from '../../base/units.ts';
import { version } from '../../base/version.ts';
import type { Context } from '../context/context.ts';
import { environmentSettings } from '../context/settings.ts';
import { fileSettings, settingsFiles } from '../context/settings-files.ts';
import {
  type CheckName,
  checkNames,
  type Finding,
  failed,
  mountOf,
  nearestFolder,
  ok,
  statOrNull,
  warning,
} from './doctor-findings.ts';
import { localLocks, softOption } from './doctor-mounts.ts';
import { checkQuota } from './doctor-quota.ts';
import { checkNetwork, checkServer, checkSlurm } from './doctor-server.ts';

type Check = (context: Context) => Finding | Promise<Finding>;

const checks: Readonly<Record<CheckName, Check>> = {
  node: checkNode,
  helper: checkHelper,
  sqlite: checkSqlite,
  config: checkConfig,
  directory: checkDirectory,
  'file system': checkFileSystem,
  quota: checkQuota,
  locks: (context) => checkProbe(context, 'locks'),
  clock: (context) => checkProbe(context, 'clock'),
  database: checkDatabase,
  server: checkServer,
  network: checkNetwork,
  slurm: checkSlurm,
};

/** The finding of one check; whatever it throws is one as well. */
export async function findingOf(name: string, context: Context): Promise<Finding> {
  try {
    const known = checkNames.find((each) => each === name);
    if (known === undefined) throw new TorcError('usage', `there is no check ${name}`);
    return await checks[known](context);
  } catch (error) {
    const { message, hint } = asTorcError(error);
    return failed(message, error instanceof TorcError && hint !== null ? hint : 'See the message of the system.');
  }
}

function checkNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const found = `torc ${version()}, node ${process.version}`;
  const isNew = major > 20 || (major === 20 && minor >= 19);
  return isNew ? ok(found) : failed(found, 'torc needs node 20.19 or newer: load a newer module, or install one.');
}

async function checkHelper(): Promise<Finding> {
  const path = jobStarterPath();
  const without = 'jobs start, but more slowly: install a C compiler (cc) and install torc again';
  if (!existsSync(path)) return warning(`there is no ${path}`, without);
  const helper = spawn(path, ['0', '0', '/', 'bash', '-c', '--'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const printed = await Promise.race([
    text(helper.stdout),
    new Promise<string>((fulfil) => helper.once('error', (error) => fulfil(error.message))),
  ]);
  if (printed.startsWith('ready')) return ok('torc-start-jobs runs');
  return warning(`${path} does not run here: ${printed.trim() || 'it printed nothing'}`, without);
}

async function checkSqlite(): Promise<Finding> {
  try {
    const { sqliteVersion } = await import('../../server/owner/inspection.ts');
    return ok(`version ${sqliteVersion()}`);
  } catch (error) {
    const { message, hint } = asTorcError(error);
    return failed(message, hint ?? '');
  }
}

function checkConfig({ env }: Context): Finding {
  const files = settingsFiles(env);
  fileSettings(files);
  environmentSettings(env);
  const present = files.filter(({ exists }) => exists);
  const ignored = present.find((file) => file.ignored !== null);
  if (ignored !== undefined) {
    return warning(
      `${ignored.path} is ignored: it ${ignored.ignored}`,
      'Remove it, or make your own: torc config init',
    );
  }
  return ok(present.length === 0 ? 'no configuration file' : present.map(({ path }) => path).join(', '));
}

function checkDirectory({ directory }: Context): Finding {
  refuseUnsafePrivateFolder(directory);
  const isThere = statOrNull(directory) !== null;
  const folder = nearestFolder(directory);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    const what = isThere ? `${directory} cannot be written` : `${directory} cannot be made in ${folder}`;
    const advice =
      'Choose another with --dir. On NFS root often has no rights (root_squash): run torc as an ordinary user.';
    return failed(`${what} (${systemCode(error)})`, advice);
  }
  return ok(isThere ? directory : `${directory} does not exist yet; the first workflow creates it`);
}

const littleBytes = 1024 ** 3;
const fewInodes = 10_000;

function checkFileSystem({ directory }: Context): Finding {
  const folder = nearestFolder(directory);
  const { bavail, bsize, ffree, files } = statfsSync(folder);
  const free = bavail * bsize;
  const mount = mountOf(folder);
  const type = mount?.type ?? 'unknown type';
  // some file systems do not count inodes
  const inodes = files === 0 ? '' : `, ${ffree} inodes`;
  const found = `${type}, ${formatMemory(free)} free${inodes} in ${folder}`;
  if (free < littleBytes) return warning(found, 'Free some space: without any, nothing can be stored.');
  if (files > 0 && ffree < fewInodes)
    return warning(found, 'Remove files: without inodes, no job can write its output.');
  if (type === 'tmpfs' || type === 'ramfs') {
    return warning(found, 'What is in memory is lost when this machine restarts; choose another with --dir.');
  }
  const soft = mount === null ? null : softOption(mount);
  if (soft !== null) {
    return warning(
      `${found}; ${mount?.point} is mounted ${soft}: what its server does not answer in time fails`,
      'Ask your administrators to mount it hard: then torc and the jobs wait until the server is back, and no output is lost.',
    );
  }
  return ok(found);
}

const mostSecondsApart = 5;

/** Both need a file in the directory, which is removed again. */
async function checkProbe({ directory }: Context, what: 'locks' | 'clock'): Promise<Finding> {
  if (statOrNull(directory) === null) return ok(`not checked: ${directory} does not exist yet`);
  const { probeFolder } = await import('../../server/owner/inspection.ts');
  const { hasLocks, aheadSeconds } = await probeFolder(directory, what === 'locks' ? asksOther : async () => true);
  if (what === 'locks') {
    const mount = mountOf(directory);
    const local = mount === null ? null : localLocks(mount);
    if (hasLocks && local === null) return ok('other processes see them');
    return warning(
      hasLocks
        ? `${mount?.point} is mounted with ${local}: other hosts do not see the locks of this one`
        : 'locks on this file system are not seen by other processes',
      'torc keeps others out by holder.json as well; mount it with locks (NFS: without nolock, Lustre: flock) if you can.',
    );
  }
  const now = new Date().toISOString();
  const seconds = Math.abs(aheadSeconds).toFixed(1);
  if (seconds === '0.0' || Math.abs(aheadSeconds) <= mostSecondsApart) return ok(`${now}, the file system agrees`);
  const found = `the file system's clock is ${seconds} s ${aheadSeconds > 0 ? 'ahead of' : 'behind'} this machine's`;
  return warning(
    found,
    'Ask your administrators to synchronize the clocks (chrony, ntp): torc notices changed files by their times.',
  );
}

/** Another process says whether it sees the lock. */
async function asksOther(path: string): Promise<boolean> {
  const viewers: [string, ...string[]][] = [
    [lockSeerPath(), path],
    // takes much longer, but always runs
    [process.execPath, programPath(), 'doctor', '--locked', path],
  ];
  for (const [program, ...words] of viewers) {
    const asked = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    asked.once('error', () => {});
    const printed = await text(asked.stdout);
    if (printed === 'true\n' || printed === 'false\n') return printed === 'true\n';
  }
  throw new TorcError('unusable', 'locking could not be tested', 'Try again.');
}

async function checkDatabase({ directory, torc }: Context): Promise<Finding> {
  const { lookAtDatabase, presentHolder } = await import('../../server/owner/inspection.ts');
  const restore = `${torc} server check says more; a backup (torc server backup) can take its place.`;
  try {
    const look = lookAtDatabase(directory);
    if (look === null) return ok('none yet; the first workflow creates it');
    const size = formatMemory(look.sizeBytes);
    if (look.problem !== null) return failed(`${size}, damaged: ${look.problem}`, restore);
    if (look.unread === 'in use') {
      const holder = presentHolder(directory);
      const who = holder === null ? '' : ` by '${holder.command}' on ${holder.hostname} (pid ${holder.pid})`;
      return ok(`${size}, in use${who}; not read: ${torc} server check`);
    }
    const newest = Math.max(...readdirSync(schemaDirectory()).map((name) => Number.parseInt(name, 10) || 0));
    const pages = look.unread === null ? 'pages are sound' : `pages not read for its size: ${torc} server check`;
    const found = `${size}, schema version ${look.schemaVersion}, ${pages}`;
    if ((look.schemaVersion ?? 0) <= newest) return ok(found);
    return failed(found, 'A newer torc wrote it: use that one, or choose another directory with --dir.');
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (!code.startsWith('SQLITE_')) throw error;
    return failed(`${join(directory, 'torc.db')} cannot be read: ${asTorcError(error).message}`, restore);
  }
}
