/**
 * From the tarball to a Slurm whose login and compute nodes have no Node, Python, compiler and network of their own. It
 * starts that cluster in place of the one that is up. TORC_TEST_SLURM=skip leaves it out.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allNodes, type Node, output, until } from '../slurm/cluster.ts';
import type { ResultRow } from '../slurm/rows.ts';
import { archive, checksums, command, installation, packageName, root, shownFile, version } from './readme.ts';

const cluster = join(root, 'docker', 'cluster');
const hpc = 1000;
const env = { ...process.env, TORC_CLUSTER_IMAGE: 'bare' };

describe.skipIf(process.env.TORC_TEST_SLURM === 'skip')('on a cluster without Node', () => {
  let home: string;
  let place: string;
  beforeAll(() => {
    execFileSync(cluster, ['up'], { env, stdio: 'pipe' });
    const { shared } = JSON.parse(execFileSync(cluster, ['info'], { env, encoding: 'utf8' })) as { shared: string };
    place = mkdtempSync(join(shared, 'torc-package-'));
    // torc refuses a place in which others may write
    chownSync(place, hpc, hpc);
    mkdirSync(join(place, 'files'));
    for (const file of [archive, checksums]) copyFileSync(file, join(place, 'files', basename(file)));
    home = join('/shared', basename(place), 'home');
  });
  afterAll(() => {
    spawnSync(cluster, ['down'], { env });
    if (place !== undefined) rmSync(place, { recursive: true, force: true });
  });

  /** Runs what a person types in a home that all nodes share; it must end with 0. */
  async function type(script: string, node: Node = 'ctl'): Promise<string> {
    const clean = ['env', '-i', `HOME=${home}`, 'USER=hpc', `PATH=${home}/.local/bin:/usr/bin:/bin`];
    return await output([...clean, 'bash', '-euc', `mkdir -p ~; cd; ${script}`], { node });
  }

  it.each(allNodes)('%s has nothing that torc could use instead of its own', async (node) => {
    expect(await type('for program in node npm python3 cc gcc; do type -t $program || echo none; done', node)).toBe(
      'none\n'.repeat(5),
    );
    expect(await type('ls -A /torc', node)).toBe('');
    // a mirror that the machine of the test reaches
    await type('! timeout 5 bash -c "exec 3<>/dev/tcp/deb.debian.org/80" 2>/dev/null', node);
  });

  it('the lines of the README install it on the login node and run a workflow there', async () => {
    const said = await type(`cp ../files/* .\n${installation()}`);
    expect(said).toContain(`${packageName}.tar.gz: OK\n`);
    expect(said).toMatch(/^workflow 1 \(word_count\), run 1: done$/m);
    expect(said).toMatch(/^\d+ words in all$/m);
  });

  const results = async (key: string): Promise<ResultRow[]> =>
    (JSON.parse(await type(`torc -F json results list -k ${key}`)) as { results: ResultRow[] }).results;

  it('the line of the README submits the workflow that it shows, and every job is done', async () => {
    const submit = command('torc submit study.yaml').replace('ACCOUNT', 'torc').replace('PARTITION', 'main');
    const said = await type(`cat >study.yaml <<'END'\n${shownFile('study.yaml')}END\n${submit}\ntorc wait last`);
    expect(said).toMatch(/2 allocations/);
    const ended = await results('last');
    expect(ended.map(({ job_name }) => job_name).sort()).toEqual(['simulate', 'summarize']);
    for (const result of ended) expect(result).toMatchObject({ status: 'done', return_code: 0 });
    expect(ended.map(({ hostname }) => hostname)).toEqual(ended.map(() => expect.stringMatching(/^c[1-4]$/)));
    expect((await type('torc logs summarize -k last')).trim()).toMatch(/\d+\.\d+$/);
  });

  it('workers run with the node of the tarball, side by side; also where srun starts the jobs', async () => {
    const programs = 'readlink /proc/[0-9]*/exe 2>/dev/null | sort -u >$TORC_JOB_NAME.programs';
    const meet = 'touch $TORC_JOB_NAME.here; until [ -e left.here ] && [ -e right.here ]; do sleep 0.2; done';
    const spec = {
      name: 'meeting',
      jobs: [
        { name: 'left', command: `${programs}; ${meet}` },
        { name: 'right', command: `${programs}; ${meet}` },
        { name: 'step', command: `echo step $SLURM_STEP_ID; ${programs}; exit 3`, execution: 'slurm' },
        { name: 'after', command: 'echo never', depends_on: ['step'] },
      ],
    };
    await type(`echo '${JSON.stringify(spec)}' >meeting.json; torc submit meeting.json -n 2 -a torc -p main -t 10`);
    await type('torc wait last || test $? = 1');
    const ended = Object.fromEntries((await results('last')).map((result) => [result.job_name, result]));
    for (const name of ['left', 'right']) expect(ended[name]).toMatchObject({ status: 'done', return_code: 0 });
    expect(ended.step).toMatchObject({ status: 'done', return_code: 3, cause: 'exit_code' });
    const node = `${home}/.local/lib/torc/${version}/libexec/node`;
    for (const name of ['left', 'right', 'step']) {
      const seen = (await type(`cat ${name}.programs`)).split('\n');
      expect(seen.filter((path) => /\/node$/.test(path))).toEqual([node]);
      expect(seen).toContainEqual(expect.stringContaining(name === 'step' ? 'torc-run-step' : 'torc-start-jobs'));
    }
    expect(await type('torc logs step -k last')).toMatch(/step \d+/);
  });

  it('nothing is left in the queue, and it is removed by its own install.sh', async () => {
    await until('the queue is empty', async () => (await type('squeue -h --me')) === '');
    await type('torc server stop; sh ~/.local/lib/torc/*/install.sh --uninstall');
    expect(await type('find ~/.local -type f -o -type l')).toBe('');
  });
});
