/** Before the Python layer: an environment with the programs of requirements.txt, kept for the next run. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const place = join(here, '..', '..', '.python-tests');

export default function setup(): void {
  const requirements = join(here, 'requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  const stamp = join(place, 'requirements.txt');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(place, { recursive: true, force: true });
    const run = (program: string, ...words: string[]) => execFileSync(program, words, { stdio: 'inherit' });
    run('python3', '-m', 'venv', place);
    const pip = [join(place, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check'] as const;
    run(...pip, '--retries', '5', '--requirement', requirements);
    writeFileSync(stamp, wanted);
  }
  process.env.TORC_TEST_PYTHON = join(place, 'bin');
}
