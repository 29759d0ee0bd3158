// biome-ignore-all lint/suspicious/noTemplateCurlyInString: requests from results are written like that
/** Allocations that are as large as what waits for them. */
import { describe, expect, it } from 'vitest';
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
