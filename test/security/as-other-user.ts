/** Another user of the same host, who tries to get in: a process with the ids of `nobody`. Only root can start one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { ServerFile } from '../../src/api/server-file.ts';
import type { Ended } from '../support/torc.ts';

export const otherUserId = 65534;

/** Whether this process can act as another user; prints a warning when it cannot. */
export const canBeOtherUser = process.getuid?.() === 0;
if (!canBeOtherUser) console.warn('\n!! Not root: the tests that act as ANOTHER USER of this host are SKIPPED.\n');

/** Runs a command as the other user. */
export function asOtherUser(command: string, args: string[], input = ''): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      uid: otherUserId,
      gid: otherUserId,
      cwd: '/',
      env: { PATH: process.env.PATH },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    // a process that reads nothing may have ended already
    child.stdin.on('error', () => {}).end(input);
  });
}

/**
 * Starts JavaScript as the other user, who gets `args` as `process.argv.slice(1)`, and waits until it is at work; the
 * caller ends it.
 */
export async function startAsOtherUser(script: string, args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', `require('fs').writeSync(1, 'at work');${script}`, ...args], {
    uid: otherUserId,
    gid: otherUserId,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
  return child;
}

/** Every path below the given ones that the other user can read, write or list, by kind of access. */
export async function accessible(paths: string[]): Promise<Record<'read' | 'write' | 'list', string[]>> {
  const script = `
    const fs = require('fs'), path = require('path');
    const found = { read: [], write: [], list: [] };
    const attempt = (kind, at, act) => { try { act(); found[kind].push(at); return true; } catch { return false; } };
    const visit = (at) => {
      let names = [];
      const stat = fs.lstatSync(at, { throwIfNoEntry: false });
      if (stat?.isDirectory()) {
        if (attempt('list', at, () => { names = fs.readdirSync(at); })) for (const n of names) visit(path.join(at, n));
        attempt('write', at, () => fs.closeSync(fs.openSync(path.join(at, '.other-user'), 'wx')));
      } else {
        attempt('read', at, () => fs.closeSync(fs.openSync(at, 'r')));
        attempt('write', at, () => fs.closeSync(fs.openSync(at, 'a')));
      }
    };
    for (const at of JSON.parse(fs.readFileSync(0, 'utf8'))) { try { visit(at); } catch {} }
    console.log(JSON.stringify(found));
  `;
  const ended = await asOtherUser(process.execPath, ['-e', script], JSON.stringify(paths));
  if (ended.code !== 0) throw new Error(ended.stderr);
  return JSON.parse(ended.stdout);
}

/** This process and its descendants. */
export function processTree(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((entry) => /^[0-9]+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it has ended
    }
  }
  const tree = [pid];
  for (const member of tree) for (const [child, parent] of parents) if (parent === member) tree.push(child);
  return tree;
}

/** How many sockets a process listens on. */
export function numListening(pid: number): number {
  const table = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/${pid}/net/${name}`, 'latin1').split('\n'));
  const fields = table.map((line) => line.trim().split(/\s+/));
  const inodes = new Set(fields.filter((line) => line[3] === '0A').map((line) => line[9]));
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1])).length;
}

export function portOf(file: ServerFile): number {
  return Number(file.addresses[0]?.split(':').at(-1));
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** One request, with or without a token. */
export function ask(file: ServerFile, path: string, authorization: string | null, body = '{}'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: portOf(file),
        path,
        method: 'POST',
        agent: false,
        headers: authorization === null ? {} : { authorization },
        ca: file.certificate,
        checkServerIdentity: () => undefined,
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
