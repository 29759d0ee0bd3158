/** What is made from the commands: manual pages, and completion in real shells: bash and zsh with keys typed into a terminal, fish by its own question for candidates. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

/** Where every layer has to run, nothing is skipped. */
const isRequired = process.env.TORC_TEST_SLURM === 'require';
const has = (...words: [string, string]): boolean => isRequired || spawnSync(words[0], [words[1]]).error === undefined;
const waiting = { timeout: 60_000, interval: 500 };

let place: Place;
let env: Record<string, string | undefined>;

beforeAll(async () => {
  place = newPlace();
  const jobs = ['sim_alpha', 'sim_beta', 'train'].map((name) => ({ name, command: 'true' }));
  await place.torc('workflows', 'create', place.file('spec.json', JSON.stringify({ name: 'campaign', jobs })));
  const bin = join(place.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'torc'), `#!/bin/sh\nexec '${process.execPath}' '${mainJs}' "$@"\n`);
  chmodSync(join(bin, 'torc'), 0o755);
  const { TMUX: _tmux, TORC_WORKFLOW_KEY: _key, ZDOTDIR: _zsh, ...inherited } = process.env;
  env = { ...inherited, PATH: `${bin}${delimiter}${process.env.PATH}`, TORC_DIR: place.dir, HOME: place.path };
  for (const shell of ['bash', 'zsh', 'fish']) {
    place.file(`torc.${shell}`, execFileSync(process.execPath, [mainJs, 'completion', shell], { encoding: 'utf8' }));
  }
});
afterAll(() => place.remove());

/** A shell that was given what to complete: what a person typed and Tab make of each other. */
class Typed {
  readonly #socket = `torc-${process.pid}-${randomBytes(4).toString('hex')}`;

  constructor(command: string) {
    this.tmux('new-session', '-d', '-x', '140', '-y', '40', command);
  }

  tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, '-f', '/dev/null', ...args], {
      cwd: place.path,
      env,
      encoding: 'utf8',
    });
  }

  screen(): string {
    return this.tmux('capture-pane', '-p').trimEnd();
  }

  async shows(pattern: RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.screen()).toMatch(pattern), waiting);
  }

  /** Types on an empty line and presses Tab, once or twice, until the screen shows what is expected. */
  async completes(text: string, pattern: RegExp): Promise<void> {
    await vi.waitFor(() => {
      this.tmux('send-keys', 'C-e', 'C-u', 'C-l');
      expect(this.screen()).toMatch(/^ready> *$/);
    }, waiting);
    this.tmux('send-keys', '-l', text);
    await vi.waitFor(() => {
      // a second Tab lists what the first one could not choose from
      if (!pattern.test(this.screen())) this.tmux('send-keys', 'Tab');
      expect(this.screen()).toMatch(pattern);
    }, waiting);
  }

  close(): void {
    this.tmux('kill-server');
  }
}

async function typedInto(shell: Typed): Promise<void> {
  try {
    await shell.shows(/ready>/);
    await shell.completes('torc compl', /torc completion/);
    await shell.completes('torc jobs show sim_', /sim_alpha[\s\S]*sim_beta/);
    await shell.completes('torc jobs show tr', /torc jobs show train/);
    await shell.completes('torc -k camp', /torc -k campaign/);
    await shell.completes('torc jobs list --sort-by return_', /torc jobs list --sort-by return_code/);
    await shell.completes('torc jobs list --columns name,return_', /--columns name,return_code/);
    await shell.completes('torc jobs list -f outc', /-f outcome=/);
    await shell.completes('torc jobs list -f outcome=forg', /-f outcome=forgiven/);
    await shell.completes('torc run spec.j', /torc run spec\.json/);
  } finally {
    shell.close();
  }
}

describe('completion', () => {
  it.skipIf(!has('tmux', '-V'))('in bash', async () => {
    place.file('bashrc', "PS1='ready> '\nsource torc.bash\nbind 'set bell-style none'\n");
    await typedInto(new Typed('bash --noprofile --rcfile bashrc -i'));
  });

  it.skipIf(!has('tmux', '-V') || !has('zsh', '--version'))('in zsh', async () => {
    place.file('.zshrc', "autoload -Uz compinit; compinit -u -d zcompdump\nPS1='ready> '\nsource torc.zsh\n");
    await typedInto(new Typed('zsh -i'));
  });

  it.skipIf(!has('fish', '--version'))('in fish', () => {
    const lines = {
      'torc compl': ['completion'],
      'torc jobs show sim_': ['sim_alpha', 'sim_beta'],
      'torc -k camp': ['campaign'],
      'torc jobs list --sort-by return_': ['return_code'],
      'torc jobs list --columns name,return_': ['name,return_code'],
      'torc jobs list -f outcome=forg': ['outcome=forgiven'],
      'torc jobs list --reverse-s': ['--reverse-sort'],
      'torc run spec.j': ['spec.json'],
    };
    const asked = Object.keys(lines).map((line) => `complete -C '${line}'; echo .`);
    const script = `source torc.fish; ${asked.join('; ')}`;
    const printed = execFileSync('fish', ['--no-config', '-c', script], { cwd: place.path, env, encoding: 'utf8' });
    const found = printed.split('\n.\n').map((part) => part.split('\n').map((line) => line.split('\t')[0]));
    expect(found.slice(0, -1)).toEqual(Object.values(lines));
  });

  it('asks quietly: nothing for a kind, a workflow or a directory that is not there', async () => {
    const silent = { code: 0, stdout: '', stderr: '' };
    expect(await place.torc('complete', 'nonsense', 'x')).toEqual(expect.objectContaining(silent));
    expect(await place.torc('complete', 'jobs', 's', '--', '-k', '99')).toEqual(expect.objectContaining(silent));
    const elsewhere = ['--', '--dir', join(place.path, 'nowhere')];
    expect(await place.torc('complete', 'jobs', 's', ...elsewhere)).toEqual(expect.objectContaining(silent));
    const { stdout } = await place.torc('complete', 'jobs', 'train,sim_a', '--', '-k', 'campaign');
    expect(stdout).toBe('train,sim_alpha\tuninitialized\n');
  });
});

describe('manual pages', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));

  it('are listed in package.json, from where npm installs them (npm run manual)', () => {
    const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
    expect(man).toEqual(
      readdirSync(join(root, 'dist', 'man'))
        .sort()
        .map((name) => `dist/man/${name}`),
    );
  });

  it.skipIf(!has('man', '--version'))('are shown by man without a warning', () => {
    for (const name of ['torc', 'torc-run', 'torc-hpc-slurm-schedule-nodes', 'torc-jobs-reset-status', 'torc-logs']) {
      const words = ['--warnings', '-l', join(root, 'dist', 'man', `${name}.1`)];
      const options = { env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MANPAGER: 'cat' } };
      const shown = spawnSync('man', words, { ...options, encoding: 'utf8' });
      expect([shown.status, shown.stderr]).toEqual([0, '']);
      expect(shown.stdout).toMatch(new RegExp(`^NAME\n +${name} - `, 'm'));
      expect(shown.stdout).toMatch(/^EXAMPLES\n +torc /m);
    }
  });
});
