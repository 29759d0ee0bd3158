/** The program of an older commit, built in a temporary worktree with the packages of this checkout. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '..');

/** Calls `work` with the built tree, its entry, an empty folder, and the short name of the commit; removes all afterwards. */
export async function withOlderProgram(commit, work) {
  const folder = mkdtempSync(join(tmpdir(), 'torc-old-'));
  const tree = join(folder, 'tree');
  const place = join(folder, 'place');
  const git = (...words) => execFileSync('git', ['-C', root, ...words], { encoding: 'utf8' }).trim();
  try {
    const short = git('rev-parse', '--short=7', commit);
    git('worktree', 'add', '--quiet', '--detach', tree, commit);
    cpSync(join(root, 'node_modules'), join(tree, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    execFileSync('npm', ['run', 'build'], { cwd: tree, stdio: 'ignore' });
    mkdirSync(place);
    return await work({ tree, program: join(tree, 'dist', 'cli', 'main.js'), place, short });
  } finally {
    if (existsSync(tree)) git('worktree', 'remove', '--force', tree);
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function until(isTrue) {
  const giveUpAt = Date.now() + 120_000;
  while (Date.now() < giveUpAt) {
    if (isTrue()) return;
    await new Promise((fulfil) => setTimeout(fulfil, 100));
  }
  throw new Error('it has not happened within two minutes');
}
