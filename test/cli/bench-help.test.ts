/** `npm run bench -- --help`. */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('the measurements say what they take', () => {
  const help = execFileSync(process.execPath, ['bench/main.mjs', '--help'], { encoding: 'utf8' });
  expect(help).toMatch(/^npm run bench .*--only NAME .*--runs N .*\ncases: noop .*slurm-calls\n$/s);
});
