// Programs from PyPI that are measured beside torc: an environment of Python with them, kept for the next run.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inDirectory, progress, repeat, root, time } from './support.mjs';

const folder = join(root, 'bench', 'python');
export const place = join(root, '.python-bench');

/** Why they cannot be measured; null when they are there. */
export function installRivals() {
  const wanted = readFileSync(join(folder, 'requirements.txt'), 'utf8');
  const stamp = join(place, 'requirements.txt');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return null;
  rmSync(place, { recursive: true, force: true });
  const run = (program, ...words) => execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });
  try {
    progress('Parsl and HyperQueue are installed from PyPI');
    run('python3', '-m', 'venv', place);
    const pip = [join(place, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check'];
    run(...pip, '--requirement', join(folder, 'requirements.txt'));
  } catch (error) {
    const lines = String(error.stderr || error.message)
      .trim()
      .split('\n');
    return `Parsl and HyperQueue cannot be installed: ${lines.at(-1)}`;
  }
  writeFileSync(stamp, wanted);
  return null;
}

/** The seconds that a program of bench/python prints on its last line. */
export async function timePython(directory, program, words, env = {}) {
  const path = `${join(place, 'bin')}:${process.env.PATH}`;
  const options = { cwd: directory, env: { ...process.env, PATH: path, ...env } };
  const { output } = await time(join(place, 'bin', 'python'), [join(folder, program), ...words], options);
  return Number(output.trim().split('\n').at(-1));
}

/** Seconds of HyperQueue for `true` in two slots; `shape`: none (no files), files, chain or diamond. */
export async function timeHyperQueue(shape, count, runs) {
  progress(`HyperQueue: ${shape}`);
  return await repeat(runs, () =>
    inDirectory((directory) => timePython(directory, 'hyperqueue_tasks.py', [shape, String(count)])),
  );
}
