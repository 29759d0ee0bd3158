/** The programs in docs/coming-from-*.md that build the study with the package in python/, or with one of its facades. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { blocksOf, readDocument, root } from '../support/documents.ts';
import { mainJs } from '../support/torc.ts';

let place: Place;
// a job that calls a function imports the package, as the program does
const PYTHONPATH = join(root, 'python', 'src');
beforeEach(() => {
  place = newPlace({ PYTHONPATH });
});
afterEach(() => place.remove());

/** Writes the files of a page; `imports` replaces the first line of its program, as the page says. */
function write(page: string, program: string, imports?: [theirs: string, ours: string]): void {
  for (const { info, text } of blocksOf(readDocument(`docs/coming-from-${page}.md`))) {
    const name = /^\[(.+)\]$/.exec(info)?.[1];
    if (name !== undefined) writeFileSync(join(place.path, name), text);
  }
  if (imports === undefined) return;
  const [theirs, ours] = imports;
  const [first, ...lines] = readFileSync(join(place.path, program), 'utf8').split('\n');
  expect(first).toBe(theirs);
  expect(readDocument(`docs/coming-from-${page}.md`)).toContain(`\`${ours}\``);
  place.file(program, [ours, ...lines].join('\n'));
}

async function run(program: string): Promise<string> {
  const env = {
    ...process.env,
    PYTHONPATH,
    PYTHONDONTWRITEBYTECODE: '1',
    TORC_PROGRAM: `'${process.execPath}' '${mainJs}'`,
    TORC_DIR: place.dir,
  };
  const python = join(process.env.TORC_TEST_PYTHON ?? '', 'python');
  return (await promisify(execFile)(python, [program], { cwd: place.path, env })).stdout;
}

const sum = (): string => readFileSync(join(place.path, 'sum.txt'), 'utf8');

it('Parsl: fails with the fifth square, and gives the sum after it was repaired', async () => {
  write('parsl', 'squares.py');
  expect(await run('squares.py')).toBe('failed\n');
  place.file('calibrated', '');
  expect(await place.torc('rerun-failed', 'squares', '--run')).toMatchObject({ code: 0 });
  expect(sum()).toBe('204\n');
});

it('Jobmon: the same program fails first, then gives the sum', async () => {
  write('jobmon', 'jobmon_study.py', ['from jobmon.client.tool import Tool', 'from torc_hpc.jobmon import Tool']);
  expect(await run('jobmon_study.py')).toBe('failed\n');
  place.file('calibrated', '');
  expect(await run('jobmon_study.py')).toBe('done\n');
  expect(sum()).toBe('204\n');
  const { results } = await place.json<{ results: object[] }>(['results', 'list', '-k', '1']);
  expect(results).toHaveLength(8 + 2);
});

it('ColonyOS: the executor fails with the fifth square, and later the result of the sum is there', async () => {
  const names = 'import Colonies, Workflow, func_spec';
  write('colonies', 'colonies_study.py', [`from pycolonies ${names}`, `from torc_hpc.colonies ${names}`]);
  const key = (await run('colonies_study.py')).trim();
  const executor = ['jobs', 'run', key, '--label', 'python-executor'];
  expect(await place.torc(...executor)).toMatchObject({ code: 1 });
  const counts = { num_done: 8, num_failed: 1, num_canceled: 1 };
  expect(await place.json(['workflows', 'show', key])).toMatchObject(counts);
  place.file('calibrated', '');
  expect(await place.torc('rerun-failed', key)).toMatchObject({ code: 0 });
  expect(await place.torc(...executor)).toMatchObject({ code: 0 });
  const { results } = await place.json<{ results: object[] }>(['results', 'list', '-k', key]);
  expect(results).toHaveLength(8 + 2);
  expect(results).toContainEqual(expect.objectContaining({ job_name: 'sum', result: 204 }));
});
