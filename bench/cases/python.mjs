// Calls of Python functions as jobs, in fork servers, against Parsl in the same run.
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { row, skipped } from '../report.mjs';
import { installRivals, place, timePython } from '../rivals.mjs';
import { inDirectory, progress, root, torc } from '../support.mjs';

/** The package as pip installs it: compiled. What Python compiles as it starts stays in its memory, which each fork copies. */
function installPackage() {
  const installed = join(place, 'torc');
  rmSync(installed, { recursive: true, force: true });
  cpSync(join(root, 'python', 'src'), installed, { recursive: true });
  execFileSync(join(place, 'bin', 'python'), ['-m', 'compileall', '-q', installed], { stdio: 'pipe' });
  return installed;
}

/** Seconds from the first call to the last result. */
async function measure(system, what, count, installed) {
  return await inDirectory(async (directory) => {
    const env = {
      PYTHONPATH: installed,
      TORC_DIR: join(directory, 'server'),
      TORC_PROGRAM: `'${process.execPath}' '${torc}'`,
    };
    return await timePython(directory, 'calls.py', [system, what, String(count)], env);
  });
}

export async function python({ isFull, runs }) {
  const reason = installRivals();
  const installed = reason === null ? installPackage() : '';
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
        samples[system].push(await measure(system, what, count, installed));
      }
    }
    const baseline = { what: 'Parsl', samples: samples.parsl };
    rows.push(row(`${name}, by the HTEX of Parsl`, samples.parsl, 's'));
    rows.push(row('.. by `torc_hpc.Executor`, a process each, forked', samples.torc, 's', { baseline, budget }));
  }
  return rows;
}
