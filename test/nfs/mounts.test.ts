/** How an export is mounted decides what torc sees: locks of other hosts, and what root may do. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, type Nfs, startNfs, whyNoNfs } from './hosts.ts';

let nfs: Nfs;

beforeAll(async () => {
  if (whyNoNfs === null) nfs = await startNfs();
});
afterAll(() => nfs?.remove());

interface Finding {
  check: string;
  status: string;
  found: string;
}

/** What `torc doctor` says of one thing; it may fail as a whole. */
async function doctorOf(host: Host, folder: string, check: string): Promise<Finding | undefined> {
  const { stdout } = await host.torc(folder, '-F', 'json', 'doctor');
  return (JSON.parse(stdout) as { checks: Finding[] }).checks.find((each) => each.check === check);
}

describe.skipIf(whyNoNfs !== null)('an export', () => {
  it('mounted without locks has one server all the same, and doctor says what is missing', async () => {
    nfs.mountAgain('rw,no_root_squash', 'vers=3,nolock,hard');
    const folder = nfs.newFolder();
    const server = await nfs.serve(nfs.a, folder);
    expect(await doctorOf(nfs.b, folder, 'locks')).toMatchObject({
      status: 'warning',
      found: expect.stringContaining(`${nfs.mounted} is mounted with nolock`),
    });
    const second = await nfs.b.torc(folder, 'server', 'start');
    expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining('already running on torc-a') });
    process.kill(server.pid, 'SIGKILL');
    await server.ended;
    expect(await nfs.b.torc(folder, 'workflows', 'list')).toMatchObject({ code: 0 });
  });

  it('that squashes root lets root make nothing, which doctor finds out', async () => {
    nfs.mountAgain('rw,root_squash', 'vers=4.2,hard');
    const folder = nfs.newFolder();
    expect(await doctorOf(nfs.b, folder, 'directory')).toMatchObject({
      status: 'failed',
      found: `${join(folder, 'dir')} cannot be made in ${folder} (EACCES)`,
    });
  });
});
