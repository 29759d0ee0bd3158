// biome-ignore-all lint/suspicious/noTemplateCurlyInString: requests from results are written like that
/** Allocations that are as large as what waits for them. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { Partition } from '../../src/model/plan/site.ts';
import { openService } from '../../src/server/open.ts';
import { siteExample } from '../support/site.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place } = made);
});

const spec = {
  name: 'sized',
  compute_node_wait_for_new_jobs_seconds: 0,
  resource_requirements: [{ name: 'planned', num_cpus: 1, memory: '${result.plan.gigabytes}g' }],
  slurm_schedulers: [{ name: 'big', account: 'a', walltime: '00:10:00', mem: '1G' }],
  jobs: [
    { name: 'plan', command: `echo '{"gigabytes": 4}' > "$TORC_RESULT_FILE"` },
    { name: 'solve', command: 'true', depends_on: ['plan'], resource_requirements: 'planned' },
    { name: 'later', command: 'true', depends_on: ['solve'], resource_requirements: 'other' },
  ],
};
const other = { name: 'other', num_cpus: 1, memory: '9g' };

describe('schedule-nodes --mem', () => {
  it('fit: asks for what the largest job that is ready needs, also where another job has just said that', async () => {
    const all = { ...spec, resource_requirements: [...spec.resource_requirements, other] };
    await place.json(['workflows', 'create', place.file('spec.json', JSON.stringify(all))]);
    await place.torc('workflows', 'start', '1');
    // the others do not fit
    await place.torc('jobs', 'run', '1', '--memory', '1g');
    const schedule = ['hpc', 'slurm', 'schedule-nodes', '-n', '1', '--dry-run'];
    const memory = async (...words: string[]) =>
      /^#SBATCH --mem=(.*)$/m.exec((await place.torc(...schedule, ...words)).stdout)?.[1];
    expect(await memory('--mem', 'fit')).toBe('4096M');
    expect(await memory('--mem', '7G')).toBe('7G');
    const typed = await place.torc(...schedule, '--mem', 'much');
    expect(typed).toMatchObject({ code: 2, stdout: '' });
  });

  it('fit: is refused where no job says what it needs', async () => {
    const jobs = [
      { name: 'a', command: 'true' },
      { name: 'later', command: 'true', depends_on: ['a'], resource_requirements: 'other' },
    ];
    const stated = { name: 'w', resource_requirements: [other], jobs };
    await place.json(['workflows', 'create', place.file('spec.json', JSON.stringify(stated))]);
    await place.torc('workflows', 'start', '1');
    await place.json(['hpc', 'slurm', 'add-config', '-a', 'a']);
    const refused = await place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', '--mem', 'fit');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('--mem fit: no ready job states its memory');
  });
});

describe('where a partition gives whole nodes of two sizes', () => {
  const gib = 1024 ** 3;

  /** Its small nodes have 32 CPUs and 128 GiB. */
  async function mixed(...jobs: { num_cpus: number; memory: string }[]): Promise<void> {
    const [main] = siteExample.partitions as [Partition];
    const large = { ...(main.nodes[0] as Partition['nodes'][number]), num_cpus: 64, memory_bytes: 512 * gib };
    const partition = { ...main, gives_whole_nodes: true, nodes: [...main.nodes, { ...large, num_nodes: 2 }] };
    const service = await openService(place.dir, systemClock, 'test');
    await service.call('site_put', { site: { ...siteExample, cluster: 'fake', partitions: [partition] } });
    await service.close();
    const needs = jobs.map((need, at) => ({ name: `r${at}`, ...need, runtime: 'PT1H' }));
    const named = jobs.map((_, at) => ({ name: `j${at}`, command: 'true', resource_requirements: `r${at}` }));
    const whole = { name: 'whole', account: 'a', walltime: '02:00:00' };
    const given = { name: 'w', resource_requirements: needs, slurm_schedulers: [whole], jobs: named };
    await place.json(['workflows', 'create', place.file('spec.json', JSON.stringify(given))]);
    await place.torc('workflows', 'start', '1');
  }

  const plan = () => place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', '--dry-run');

  it('schedule-nodes asks for larger ones if no job fits the smallest', async () => {
    await mixed({ num_cpus: 40, memory: '1g' }, { num_cpus: 1, memory: '200g' });
    const { stdout, stderr } = await plan();
    expect(stdout).toMatch(/^#SBATCH --mincpus=64\n#SBATCH --mem=524288M$/m);
    expect(stderr).toContain(
      'no waiting job fits what Slurm gives by itself: asking for nodes with at least 64 CPUs and 512G',
    );
  });

  it('and warns where only some do not', async () => {
    await mixed({ num_cpus: 40, memory: '1g' }, { num_cpus: 1, memory: '20g' });
    const { stdout, stderr } = await plan();
    expect(stdout).not.toMatch(/^#SBATCH --(mincpus|mem)=/m);
    expect(stderr).toContain('1 job fits only nodes with more than these allocations ask for: ');
    expect(stderr).toContain('workflows autoscale 1 asks for what each job needs');
  });

  it('an autoscaler asks for each job, and its dry run says so', async () => {
    await mixed({ num_cpus: 40, memory: '1g' }, { num_cpus: 28, memory: '20g' });
    const { stdout } = await place.torc('workflows', 'autoscale', '1', '--dry-run', '--max', '5');
    expect(stdout).toContain('(1 node with at least 64 CPUs and 512G of memory, ');
    expect(stdout.match(/submit/g)).toHaveLength(2);
  });

  it('plans say which nodes they mean, and what is generated asks for them', async () => {
    await mixed({ num_cpus: 40, memory: '1g' });
    const planned = await place.torc('hpc', 'slurm', 'plan', '1');
    expect(planned.stdout).toContain('line 1, main: nodes with at least 64 CPUs and 512G of memory\n');
    const { stdout } = await place.torc('-k', '1', 'hpc', 'slurm', 'recommend-nodes');
    expect(stdout).toContain('1 allocation of 1 node with at least 64 CPUs and 512G of memory for ');
    const jobs = [{ name: 'j', command: 'true', resource_requirements: 'r' }];
    const needs = [{ name: 'r', num_cpus: 40, memory: '1g', runtime: 'PT1H' }];
    const file = place.file('g.json', JSON.stringify({ name: 'g', resource_requirements: needs, jobs }));
    const generated = await place.torc('hpc', 'slurm', 'generate', file, '-a', 'a');
    expect(JSON.parse(generated.stdout)).toMatchObject({
      slurm_schedulers: [{ mem: '524288M', extra: '--exclusive --mincpus=64' }],
    });
  });
});
