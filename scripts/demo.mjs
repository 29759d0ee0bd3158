// Builds torc and runs the first example: a real workflow on the embedded database, without any setup.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const torc = join(root, 'dist', 'cli', 'main.js');

function run(args) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

run([join(root, 'scripts', 'build.mjs')]);
run([torc, '--dir', '.torc-demo', 'run', 'examples/word-count/workflow.yaml', '--output', 'torc_output']);
const [first, second, third] = readFileSync(join(root, 'word_count', 'report.txt'), 'utf8').split('\n');
console.log(`\nthe result, word_count/report.txt, begins with the most frequent words:\n${first}\n${second}\n${third}`);
