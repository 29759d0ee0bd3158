/** Where the commands of a document are typed: a home directory, torc on the PATH, and a fake Slurm that runs its jobs. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { root } from './documents.ts';
import { killLeftovers, mainJs } from './torc.ts';

export interface Printed {
  code: number;
  output: string;
}

/** `next-workflow 7` stores workflows of two jobs, so that the next one has the key 7, and its first job the key 13. */
const nextWorkflow = `#!/bin/sh
printf 'true\\ntrue\\n' > "$HOME/commands.txt"
echo created workflow 0 > "$HOME/created.txt"
until [ "$(sed -n 's/^created workflow \\([0-9]*\\).*/\\1/p' "$HOME/created.txt")" -ge $(($1 - 1)) ]; do
  torc create "$HOME/commands.txt" > "$HOME/created.txt" || exit
done
`;

/** Where it is between 12 and 13 o'clock: schedules for the night do not come due while a document runs. */
export function zoneWithNoon(now: Date): string {
  const ahead = 12 - now.getUTCHours();
  // names of this kind count the other way round
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

export class DocumentPlace {
  private readonly home = mkdtempSync(join(tmpdir(), 'torc-document-'));
  private readonly slurm = new FakeSlurm({ run: true });
  private readonly env: Record<string, string | undefined>;

  constructor() {
    for (const name of ['bin', 'study']) mkdirSync(join(this.home, name));
    this.executable('torc', `#!/bin/sh\nexec "${process.execPath}" "${mainJs}" "$@"\n`);
    this.executable('next-workflow', nextWorkflow);
    const { TORC_OUTPUT_DIR: _out, TORC_WORKFLOW_KEY: _key, TORC_DIR: _dir, ...rest } = this.slurm.env;
    this.env = {
      ...rest,
      PATH: `${join(this.home, 'bin')}${delimiter}${rest.PATH}`,
      HOME: this.home,
      USER: 'me',
      XDG_CONFIG_HOME: join(this.home, '.config'),
      COLUMNS: '100',
      TZ: zoneWithNoon(new Date()),
    };
    writeFileSync(join(this.home, 'shell'), 'cd study\n');
    symlinkSync(join(root, 'examples'), join(this.home, 'study', 'examples'));
  }

  file(name: string, text: string): void {
    writeFileSync(join(this.home, 'study', name), text);
  }

  /** The text of a file, by its path from where the document began. */
  read(path: string): string {
    return readFileSync(join(this.home, 'study', path), 'utf8');
  }

  /**
   * What a command prints, as the documents show it: a user `me` on `node1` of the cluster `kite`, and no progress, of which a
   * terminal keeps nothing.
   */
  printed(command: string): Promise<Printed> {
    const shell = join(this.home, 'shell');
    // the next command finds its directory and its variables as this one leaves them
    const script = `. ${shell}\ntrap 'code=$?; { export -p; printf "cd %q\\n" "$PWD"; } > ${shell}; exit $code' EXIT\nexec 2>&1\n${command}`;
    return new Promise((fulfil) => {
      const options = { cwd: this.home, env: this.env, timeout: 120_000 };
      // what a command prints counts, also when it fails
      execFile('bash', ['-c', script], options, (error, stdout) => {
        const text = stdout.replaceAll(/^\d+\/\d+ done.*\n/gm, '').replaceAll(this.home, '/home/me');
        const here = text.replaceAll(new RegExp(`\\b${hostname()}\\b`, 'g'), 'node1');
        const output = here.replaceAll('2 fake', '2 a100').replaceAll(/\bfake\b/g, 'kite');
        fulfil({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, output });
      });
    });
  }

  async remove(): Promise<void> {
    await this.printed('torc server stop');
    this.slurm.remove();
    killLeftovers(this.home);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
  }

  private executable(name: string, text: string): void {
    writeFileSync(join(this.home, 'bin', name), text);
    chmodSync(join(this.home, 'bin', name), 0o755);
  }
}
