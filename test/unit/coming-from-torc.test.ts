import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { translated } from '../../src/cli/input/translate-words.ts';
import { answers, programAnswers, words } from '../../src/cli/input/words-of-torc.ts';
import { declareProgram } from '../../src/cli/program.ts';

const page = new URL('../../docs/coming-from-torc.md', import.meta.url);
const marker = '<!-- The rest is written by: npx vitest run --project unit test/unit/coming-from-torc.test.ts -u -->\n';

const cell = (text: string) => text.replaceAll('|', '\\|');
const code = (text: string) => `\`${cell(text)}\``;

function shownOptions(options: Readonly<Record<string, string>> = {}): string {
  return Object.entries(options)
    .map(([key, here]) => {
      const [name = '', value] = key.split(/=(.*)/s);
      const typed = code(value === undefined ? name : `${name} ${value === '' || value.startsWith('[') ? 'X' : value}`);
      if (here === '') return `${typed}: no effect`;
      if (here.startsWith('!')) return `${typed}: ${cell(here.slice(1))}`;
      return `${typed}: ${code(here.replace(/^(-[A-Za-z])=/, '$1 ').replace('*', 'X'))}`;
    })
    .join('; ');
}

function shownHere(here: string): string {
  return `torc ${here}`
    .replace('--workflow-key {1}', '-k KEY')
    .replace(/\{--(\w+)\}/g, (_, name: string) => name.toUpperCase())
    .replace('{1} -o {2}', 'KEY -o DIR')
    .replace('{1}', 'KEY');
}

/** The tables of the page. */
function tables(): string {
  const translations = words.map(({ typed, here, options }) => {
    const shown = code(`torc ${typed.replace('#', 'KEY')}`);
    return `| ${shown} | ${code(shownHere(here))} | ${shownOptions(options)} |`;
  });
  const others = [...answers.map((each) => ({ ...each, typed: `torc ${each.typed}` })), ...programAnswers].map(
    ({ typed, why, instead }) => `| ${code(typed)} | ${cell(why)} | ${cell(instead)} |`,
  );
  return [
    '\n## Typed there, done here\n',
    '| typed | the same here | options that differ |\n|---|---|---|',
    ...translations,
    '\n## Not here\n',
    'These end with exit code 2 and name what helps.\n',
    '| typed | why | instead |\n|---|---|---|',
    ...others,
    '',
  ].join('\n');
}

it('the page shows the table that the program uses', async () => {
  const [prose = ''] = readFileSync(page, 'utf8').split(marker);
  await expect(`${prose}${marker}${tables()}`).toMatchFileSnapshot(page.pathname);
});

it('each row leads to a command that is there, and none hides one', async () => {
  const program = await declareProgram(() => {});
  const find = (path: readonly string[]) =>
    path.reduce<typeof program | undefined>(
      (at, name) => at?.commands.find((each) => each.name() === name || each.aliases().includes(name)),
      program,
    );
  const path = (line: string) => line.split(' ').filter((word) => /^[a-z][a-z-]*$/.test(word));
  for (const { typed, here } of words) {
    const [ours, theirs] = [path(here), path(typed)];
    expect(find(ours), here).toBeDefined();
    // a command of ours with the same words is meant by them, unless a key follows
    if (!typed.endsWith('#') && find(theirs) !== undefined) expect(theirs, typed).toEqual(ours);
  }
  for (const { typed } of answers) expect(find(typed.split(' ')), typed).toBeUndefined();
});

describe('a command line of torc', () => {
  it.each([
    ['workflows init 7 --dry-run', 'workflows start 7 --dry-run'],
    ['-f json workflows get 7', '-F json workflows show 7'],
    ['jobs list 7 --format=table -s ready', 'jobs list 7 -F text -f status=ready'],
    ['jobs list -s 20 --status completed', 'jobs list -s 20 -f status=done'],
    ['run 7 --max-parallel-jobs 50 out --memory-gb 256', 'jobs run 7 -o out --max-parallel-jobs 50 --memory=256g'],
    ['run workflow.yaml --num-cpus=4', 'run workflow.yaml --cpus=4'],
    ['files create --name in --path /data/x 7', 'files add in --workflow-key 7 --path /data/x'],
    ['slurm schedule-nodes 7 --num-hpc-jobs 4', 'slurm schedule-nodes --workflow-key 7 -n 4'],
    ['slurm schedule-nodes -n 5 7', 'slurm schedule-nodes --workflow-key 7 -n 5'],
    [
      'slurm schedule-nodes --no-start-one-worker-per-node 7 -n 5',
      'slurm schedule-nodes --workflow-key 7 --no-start-one-worker-per-node -n 5',
    ],
    ['slurm parse-logs 7 --output-dir /x', 'jobs diagnose --workflow-key 7'],
    ['-s exec -c true', 'exec --local -c true'],
    ['exec -- prog -f json', 'exec -- prog -f json'],
    ['exec prog -f json --status failed', 'exec prog -f json --status failed'],
    ['jobs list -f status=ready -f name=json', 'jobs list -f status=ready -f name=json'],
    ['logs train -f json', 'logs train -f json'],
    ['workflows archive true 7 8', 'workflows archive 7 8'],
    ['help workflows init', 'help workflows start'],
    ['logs analyze 7 -f json', 'logs analyze 7 -F json'],
  ])('%s', (typed, ours) => {
    expect(translated(typed.split(' ')).join(' ')).toBe(ours);
  });

  it.each([
    ['watch 7 --ai-recovery', /torc logs analyze/],
    ['--url http://x workflows list', /torc --dir/],
    ['access-groups list', /torc workflows export/],
    ['resource-requirements update 1 --num-nodes 16', /torc resource-requirements add/],
  ])('%s names what helps', (typed, hint) => {
    expect(() => translated(typed.split(' '))).toThrow(
      expect.objectContaining({ exitCode: 2, hint: expect.stringMatching(hint) }),
    );
  });
});
