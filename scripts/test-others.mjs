// Runs the other half of the pages docs/coming-from-*.md: the study in the words of GNU parallel, HyperQueue, Snakemake and Parsl. Their
// bash blocks are typed in a folder with the page's files; until "calibrated" is there the study must fail, and then its sum must be 204.
// Needs GNU parallel (Debian's package), and PyPI for the rest: node scripts/test-others.mjs [PAGE...]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const packages = ['hyperqueue==0.27.0', 'parsl==2026.10.26', 'snakemake==9.27.1'];
const pages = ['parallel', 'hyperqueue', 'snakemake', 'parsl'];
const repair = 'touch calibrated\n';
const sum = '204\n';

const chosen = process.argv.length > 2 ? process.argv.slice(2) : pages;
const unknown = chosen.filter((page) => !pages.includes(page));
if (unknown.length > 0) stop(2, `usage: node scripts/test-others.mjs [PAGE...], of ${pages.join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'torc-others-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const bin = join(folder, 'venv', 'bin');
if (chosen.some((page) => page !== 'parallel')) {
  run('python3', ['-m', 'venv', join(folder, 'venv')]);
  run(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', '--retries', '5', ...packages]);
}
for (const page of chosen) test(page);

function test(page) {
  const text = readFileSync(join(root, 'docs', `coming-from-${page}.md`), 'utf8');
  const place = join(folder, page);
  mkdirSync(place);
  for (const [, name, content] of text.matchAll(/^```\w+ \[([^\]\n]+)\]\n(.*?)^```$/gms))
    writeFileSync(join(place, name), content);
  const typed = [...text.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, lines]) => lines).join('');
  const [before, after, ...more] = typed.split(repair);
  if (after === undefined || more.length > 0) stop(1, `${page}: its bash blocks must say "touch calibrated" once`);
  const options = { cwd: place, encoding: 'utf8', env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } };
  const type = (lines) => spawnSync('bash', ['-c', lines], options);
  const failed = type(before);
  const hasSum = existsSync(join(place, 'sum.txt')) && readFileSync(join(place, 'sum.txt'), 'utf8') !== '';
  if (failed.status === 0 || hasSum)
    stop(1, `${page}: it does not fail before the repair\n${failed.stdout}${failed.stderr}`);
  const repaired = type(`${repair}${after}`);
  if (repaired.status !== 0 || !repaired.stdout.endsWith(sum) || readFileSync(join(place, 'sum.txt'), 'utf8') !== sum)
    stop(1, `${page}: its sum is not ${sum}${repaired.stdout}${repaired.stderr}`);
  console.log(`${page}: fails first, then gives ${sum.trim()}`);
}

function run(program, words) {
  if (spawnSync(program, words, { stdio: 'inherit' }).status !== 0) stop(1, `${program} ${words.join(' ')} failed`);
}

function stop(status, message) {
  console.error(message);
  process.exit(status);
}
