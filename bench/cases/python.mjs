// Calls of Python functions as jobs, in fork servers, against Parsl in the same run.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row, skipped } from '../report.mjs';
import { inDirectory, progress, root, time, torc } from '../support.mjs';

const folder = join(root, 'bench', 'python');
/** Kept for the next run. */
const place = join(root, '.python-bench');

/** Why there are no programs to measure; null when they are there. */
function install() {
  const wanted = readFileSync(join(folder, 'requirements.txt'), 'utf8');
  const stamp = join(place, 'requirements.txt');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return null;
  rmSync(place, { recursive: true, force: true });
  const run = (program, ...words) => execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });
  try {
    progress('Parsl is installed from PyPI');
    run('python3', '-m', 'venv', place);
    const pip = [join(place, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check'];
    run(...pip, '--requirement', join(folder, 'requirements.txt'));
  } catch (error) {
    return `Parsl cannot be installed: ${String(error.stderr || error.message)
      .trim()
      .split('\n')
      .at(-1)}`;
  }
  writeFileSync(stamp, wanted);
  return null;
}

/** Seconds from the first call to the last result. */
async function measure(system, what, count) {
  return await inDirectory(async (directory) => {
    const env = {
      ...process.env,
      PATH: `${join(place, 'bin')}:${process.env.PATH}`,
      PYTHONPATH: join(root, 'python', 'src'),
      TORC_DIR: join(directory, 'server'),
      TORC_PROGRAM: `'${process.execPath}' '${torc}'`,
    };
    const words = [join(folder, 'calls.py'), system, what, String(count)];
    const { output } = await time(join(place, 'bin', 'python'), words, { cwd: directory, env });
    return Number(output.trim().split('\n').at(-1));
  });
}

export async function python({ isFull, runs }) {
  const reason = install();
  const rows = [];
  for (const [what, count, title, budget] of [
    ['numbers', isFull ? 10_000 : 1_000, 'calls of a Python function that does nothing', { ratio: 1 }],
    ['megabytes', isFull ? 1_000 : 100, 'calls that return 1 MB each', null],
  ]) {
    const name = `${count} ${title}, 2 at a time`;
    if (reason !== null) {
      rows.push(skipped(name, reason));
      continue;
    }
    // in turns: the speed of a machine that others use changes within minutes
    const samples = { parsl: [], torc: [] };
    for (let run = 0; run < Math.min(runs, 3); run++) {
      for (const system of ['parsl', 'torc']) {
        progress(`${name}: ${system}`);
        samples[system].push(await measure(system, what, count));
      }
    }
    const baseline = { what: 'Parsl', samples: samples.parsl };
    rows.push(row(`${name}, by the HTEX of Parsl`, samples.parsl, 's'));
    rows.push(row('.. by `torc_hpc.Executor`, a process each, forked', samples.torc, 's', { baseline, budget }));
  }
  return rows;
}
