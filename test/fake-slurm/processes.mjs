/**
 * `node processes.mjs DIRECTORY ID`: kills every process of a job, whatever session it is in, as Slurm does with
 * cgroups. They are known by the variables that they were started with.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { argv, kill, pid } from 'node:process';
import { fileURLToPath } from 'node:url';

function isOfJob(entry, directory, id) {
  try {
    const variables = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
    return variables.includes(`FAKE_SLURM_DIR=${directory}`) && variables.includes(`SLURM_JOB_ID=${id}`);
  } catch {
    return false;
  }
}

/** Once more until none is left: a process may have started another one meanwhile. */
export function killJob(directory, id) {
  for (let round = 0; round < 20; round += 1) {
    const found = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && Number(entry) !== pid);
    const processes = found.filter((entry) => isOfJob(entry, directory, id));
    if (processes.length === 0) return;
    for (const entry of processes) {
      try {
        kill(Number(entry), 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) killJob(argv[2], argv[3]);
