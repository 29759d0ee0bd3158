/** The Python package in Slurm: its executor submits allocations, and a task in one of them adds children. */
import { beforeAll, describe, expect, it } from 'vitest';
import { requireCluster } from './cluster.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

/** The checkout as the nodes see it. */
const source = '/torc/python/src';

/** Runs a program with the package, on the controller, as a person on a login node does; returns what it prints. */
async function python(site: Site, program: string): Promise<unknown> {
  await site.write('program.py', program);
  const ran = await site.command(['env', `PYTHONPATH=${source}`, 'python3', 'program.py']);
  if (ran.exitCode !== 0) throw new Error(`${ran.stderr}${ran.stdout}`);
  return JSON.parse(ran.stdout);
}

describe.concurrent('from Python', () => {
  it('calls run in allocations: results, exceptions and the node they were on', async (context) => {
    const site = await siteFor(context, 'executor');
    await site.startServer();
    const seen = await python(
      site,
      `
import json, os, socket
from torc_hpc import Executor
from torc_hpc.exchange import RemoteTraceback

def place(n):
    if n == 5:
        raise ValueError("five")
    return n, socket.gethostname(), "SLURM_JOB_ID" in os.environ

with Executor(slurm={"account": "torc", "walltime": "00:10:00"}, allocations=2, memory="100m") as pool:
    futures = [pool.submit(place, n) for n in range(6)]
    raised = futures[5].exception()
    print(json.dumps({
        "mapped": list(pool.map(abs, [-1, 2, -3])),
        "results": [future.result() for future in futures[:5]],
        "here": socket.gethostname(),
        "raised": [type(raised).__name__, str(raised), isinstance(raised.__cause__, RemoteTraceback)],
        "keys": pool.workflow_keys,
    }))
`,
    );
    expect(seen).toMatchObject({ mapped: [1, 2, 3], raised: ['ValueError', 'five', true] });
    const { results, here, keys } = seen as { results: [number, string, boolean][]; here: string; keys: string[] };
    expect(results.map(([n, , isInSlurm]) => [n, isInSlurm])).toEqual([0, 1, 2, 3, 4].map((n) => [n, true]));
    expect(results.map(([, node]) => node)).not.toContain(here);
    // those that are submitted while the first workflow is made are another one
    expect(keys.length).toBeGreaterThanOrEqual(2);
    expect(keys.length).toBeLessThan(7);
  });

  it('a task in an allocation adds children, and what waits for them gets what they return', async (context) => {
    const site = await siteFor(context, 'children');
    await site.startServer();
    const seen = await python(
      site,
      `
import json
from torc_hpc import Workflow
from torc_hpc.functions import add_children, function_job

def part(n):
    import os
    return [n * n, os.environ["SLURM_JOB_ID"] != ""]

def plan():
    return [row["is_new"] for row in add_children([function_job(f"part_{n}", part, n) for n in range(3)], before=["total"])]

def total(*inputs):
    return list(inputs)

workflow = Workflow("children", resource_requirements=[{"name": "small", "num_cpus": 1, "memory": "100m", "runtime": "PT5M"}],
                    slurm_schedulers=[{"name": "nodes", "account": "torc", "walltime": "00:10:00"}])
keys = {"resource_requirements": "small", "scheduler": "nodes"}
workflow.add_jobs([function_job("plan", plan, **keys), function_job("total", total, depends_on=["plan"], **keys)])
workflow.submit(allocations=1)
status = workflow.wait(timeout=300, progress=False)
print(json.dumps({"status": status, "jobs": sorted(job["name"] for job in workflow.jobs()),
    "plan": workflow.result("plan"), "total": workflow.result("total")}))
`,
    );
    expect(seen).toMatchObject({ status: 'done', jobs: ['part_0', 'part_1', 'part_2', 'plan', 'total'] });
    // its own result comes first, then those of its children
    const plan = [true, true, true];
    expect(seen).toMatchObject({ plan, total: [...plan, 0, true, 1, true, 4, true] });
  });
});
