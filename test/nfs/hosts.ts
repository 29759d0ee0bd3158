/**
 * An NFS server of the kernel and two hosts that mount its export at the same path. A host is a set of namespaces: its own
 * network, host name and mounts, which makes it an NFS client of its own. Process ids are common to all.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { readServerFile, type ServerFile } from '../../src/api/server-file.ts';
import { type Ended, killLeftovers, mainJs } from '../support/torc.ts';

const network = '10.77.66';
const bridge = 'torcnfs0';
/** How long the NFS server keeps the locks of a client that it does not hear, and waits for clients when it starts. */
const leaseSeconds = 10;

/** Why there can be no NFS here; null when there can. */
export const whyNoNfs = ((): string | null => {
  if (process.getuid?.() !== 0) return 'not root';
  for (const module of ['nfsd', 'nfs', 'veth']) spawnSync('modprobe', [module]);
  const systems = readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  const absent = ['nfsd', 'nfs4'].filter((name) => !systems.includes(name));
  if (absent.length > 0) return `this kernel has no ${absent.join(' and no ')}`;
  const programs = ['exportfs', 'rpc.nfsd', 'rpc.mountd', 'rpcbind', 'mount.nfs', 'ip', 'nsenter', 'unshare'];
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0);
  if (missing.length > 0) return `there is no ${missing.join(', ')}`;
  const threads = '/proc/fs/nfsd/threads';
  if (existsSync(threads) && Number(readFileSync(threads, 'utf8')) > 0) return 'this machine serves NFS already';
  return null;
})();
if (whyNoNfs !== null) {
  console.warn(`\n!! No NFS here (${whyNoNfs}): the tests over NFS are SKIPPED. See scripts/test-nfs.\n`);
}

const must = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
const may = (command: string, ...args: string[]): void => {
  spawnSync(command, args, { stdio: 'ignore' });
};

export interface Host {
  name: string;
  /** Runs a command of the shell to its end, which must be 0. */
  shell(command: string): string;
  /** Starts a program in `folder`. */
  start(folder: string, command: string, ...args: string[]): { child: ChildProcess; ended: Promise<Ended> };
  /** Runs torc in `folder` with the server directory `dir` in it. */
  torc(folder: string, ...args: string[]): Promise<Ended>;
  /** The same with `-F json`, which must end with 0. */
  json<T>(folder: string, ...args: string[]): Promise<T>;
}

/** How long a test waits at most: also in a virtual machine without hardware support, beside other work. */
export const patience = { timeout: 300_000, interval: 200 };

export interface Nfs {
  /** The path of the export on the NFS server, and where the hosts have mounted it. */
  exported: string;
  mounted: string;
  a: Host;
  b: Host;
  /** Stops answering; processes that use the export wait, or get an error where it is mounted `soft`. */
  stop(): void;
  start(): void;
  /** Puts another, empty file system in the place of the exported one. */
  remake(): void;
  /** A new folder on the export, as the hosts see it. */
  newFolder(): string;
  /** A path of the hosts as it is on the NFS server, which neither waits nor remembers. */
  onServer(path: string): string;
  /** Starts the server of torc for a folder on a host; it is published when this returns. */
  serve(host: Host, folder: string): Promise<{ pid: number; ended: Promise<Ended> }>;
  /** Unmounts on both hosts and mounts with other options of the export and of the mounts. */
  mountAgain(exportOptions: string, mountOptions: string): void;
  remove(): Promise<void>;
}

/** Starts the NFS server and both hosts. */
export async function startNfs(): Promise<Nfs> {
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'torc-nfs-')));
  const [exported, mounted] = [join(place, 'export'), join(place, 'shared')] as const;
  for (const folder of [exported, mounted]) mkdirSync(folder);
  const onServer = (path: string): string => path.replace(mounted, exported);
  let numFolders = 0;
  const daemons: ChildProcess[] = [];
  startDaemons(daemons);
  mountExported(exported);
  serve();
  addBridge();
  const hosts = [await startHost(place, 'torc-a', 2), await startHost(place, 'torc-b', 3)] as const;
  const mountAgain = (exportOptions: string, mountOptions: string): void => {
    for (const host of hosts) host.shell(`umount -l ${mounted} 2>/dev/null || true`);
    exportIt(exported, exportOptions);
    for (const host of hosts) host.shell(`mount -t nfs -o ${mountOptions} ${network}.1:${exported} ${mounted}`);
  };
  mountAgain('rw,no_root_squash', 'vers=4.2,hard');
  return {
    exported,
    mounted,
    a: hosts[0],
    b: hosts[1],
    stop: () => must('rpc.nfsd', '0'),
    start: serve,
    remake: () => {
      may('exportfs', '-ua');
      must('rpc.nfsd', '0');
      must('umount', exported);
      mountExported(exported);
      serve();
      exportIt(exported, 'rw,no_root_squash');
    },
    mountAgain,
    newFolder: () => {
      numFolders += 1;
      mkdirSync(join(exported, `test${numFolders}`));
      return join(mounted, `test${numFolders}`);
    },
    onServer,
    async serve(host, folder) {
      const { ended } = host.start(folder, process.execPath, mainJs, '--dir', join(folder, 'dir'), 'server', 'start');
      let last: Ended | null = null;
      void ended.then((end) => {
        last = end;
      });
      const published = (): ServerFile | null => readServerFile(onServer(join(folder, 'dir')));
      await vi.waitUntil(() => {
        if (last !== null) throw new Error(`the server on ${host.name} ended: ${last.stderr}`);
        return published()?.hostname === host.name;
      }, patience);
      return { pid: published()?.pid ?? 0, ended };
    },
    async remove() {
      serve();
      killLeftovers(place);
      for (const host of hosts) {
        host.shell(`umount -l ${mounted} 2>/dev/null || true`);
        await host.end();
      }
      may('exportfs', '-ua');
      may('rpc.nfsd', '0');
      may('umount', '-l', exported);
      may('ip', 'link', 'del', bridge);
      for (const daemon of daemons) daemon.kill();
      rmSync(place, { recursive: true, force: true });
    },
  };
}

function startDaemons(daemons: ChildProcess[]): void {
  if (!existsSync('/proc/fs/nfsd/threads')) must('mount', '-t', 'nfsd', 'nfsd', '/proc/fs/nfsd');
  mkdirSync('/run/rpc_pipefs', { recursive: true });
  if (!existsSync('/run/rpc_pipefs/nfsd')) may('mount', '-t', 'rpc_pipefs', 'rpc_pipefs', '/run/rpc_pipefs');
  // another program may serve these ports already
  daemons.push(spawn('rpcbind', ['-f', '-w'], { stdio: 'ignore' }));
  mkdirSync('/var/lib/nfs/nfsdcld', { recursive: true });
  daemons.push(spawn('nfsdcld', ['-F'], { stdio: 'ignore' }));
  daemons.push(spawn('rpc.mountd', ['-F'], { stdio: 'ignore' }));
  for (const daemon of daemons) daemon.on('error', () => {});
}

function mountExported(exported: string): void {
  must('mount', '-t', 'tmpfs', '-o', 'size=2g,mode=0777', 'tmpfs', exported);
}

function exportIt(exported: string, options: string): void {
  may('exportfs', '-ua');
  must('exportfs', '-o', `${options},sync,no_subtree_check,insecure,fsid=7766`, `${network}.0/24:${exported}`);
}

function serve(): void {
  if (Number(readFileSync('/proc/fs/nfsd/threads', 'utf8')) > 0) return;
  for (const name of ['nfsv4leasetime', 'nfsv4gracetime']) writeFileSync(`/proc/fs/nfsd/${name}`, `${leaseSeconds}`);
  must('rpc.nfsd', '8');
}

function addBridge(): void {
  may('ip', 'link', 'del', bridge);
  must('ip', 'link', 'add', bridge, 'type', 'bridge');
  must('ip', 'addr', 'add', `${network}.1/24`, 'dev', bridge);
  must('ip', 'link', 'set', bridge, 'up');
}

async function startHost(place: string, name: string, number: number): Promise<Host & { end(): Promise<void> }> {
  const keeper = spawn('unshare', ['--mount', '--uts', '--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const pid = String(keeper.pid);
  await vi.waitUntil(() => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n', patience);
  const [outer, inner] = [`torcnfs${number}`, `torcin${number}`];
  may('ip', 'link', 'del', outer);
  must('ip', 'link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', pid);
  must('ip', 'link', 'set', outer, 'master', bridge, 'up');
  const names = join(place, `hosts-${name}`);
  writeFileSync(names, `127.0.0.1 localhost\n${network}.2 torc-a\n${network}.3 torc-b\n`);
  const inside = ['-t', pid, '--mount', '--uts', '--net', '--'];
  const shell = (command: string): string => must('nsenter', ...inside, 'sh', '-ec', command);
  shell(`hostname ${name}; mount --bind ${names} /etc/hosts
    ip link set lo up; ip addr add ${network}.${number}/24 dev ${inner}; ip link set ${inner} up`);
  const start: Host['start'] = (folder, command, ...args) => startInside(inside, folder, [command, ...args]);
  const torc: Host['torc'] = (folder, ...args) =>
    start(folder, process.execPath, mainJs, '--dir', join(folder, 'dir'), ...args).ended;
  return {
    name,
    shell,
    start,
    torc,
    async json<T>(folder: string, ...args: string[]) {
      const ended = await torc(folder, '-F', 'json', ...args);
      if (ended.code !== 0) throw new Error(`torc ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`);
      return JSON.parse(ended.stdout) as T;
    },
    end: () =>
      new Promise((fulfil) => {
        keeper.once('close', () => fulfil());
        keeper.kill('SIGKILL');
      }),
  };
}

function startInside(inside: string[], folder: string, words: string[]): ReturnType<Host['start']> {
  const enter = ['sh', '-c', 'cd "$1" 2>/dev/null || cd /; shift; exec "$@"', 'sh', folder, ...words];
  const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: '/nowhere' };
  const child = spawn('nsenter', [...inside, ...enter], { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', env });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((fulfil) => {
    child.on('close', (code, signal) => fulfil({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}
