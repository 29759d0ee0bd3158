/** The root of another Linux, in which programs run as a user, without a network and without this machine's files. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

const uid = 1000;

export class Root {
  readonly #path: string;
  readonly #isMade: boolean;

  /** A release of Debian, made with mmdebstrap from its smallest set of packages; or the path of a root that is there. */
  constructor(of: string) {
    this.#isMade = !isAbsolute(of);
    this.#path = this.#isMade ? makeDebian(of) : of;
  }

  /** Gives the user an empty home with these files in it. */
  newHome(files: readonly string[]): void {
    const home = join(this.#path, 'home', 'user');
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    chownSync(home, uid, uid);
    for (const file of files) copyFileSync(file, join(home, file.slice(file.lastIndexOf('/') + 1)));
  }

  /** What a script of bash does, started by the user in the home. */
  run(script: string): { status: number | null; stdout: string; stderr: string } {
    const path = join(this.#path, 'tmp', 'script');
    writeFileSync(path, `cd\n${script}\n`);
    const inside = [
      'mount --bind "$1" "$1"',
      'mount -t proc proc "$1/proc"',
      'mount --rbind /dev "$1/dev"',
      'ip link set lo up',
      `exec chroot --userspec=${uid}:${uid} "$1" /usr/bin/env -i HOME=/home/user USER=user PATH=/usr/bin:/bin bash -eu /tmp/script`,
    ].join(' && ');
    const words = [
      '--mount',
      '--net',
      '--pid',
      '--ipc',
      '--fork',
      '--kill-child',
      'sh',
      '-c',
      inside,
      'sh',
      this.#path,
    ];
    const { status, stdout, stderr } = spawnSync('unshare', words, { encoding: 'utf8' });
    return { status, stdout, stderr };
  }

  remove(): void {
    rmSync(join(this.#path, 'home', 'user'), { recursive: true, force: true });
    if (this.#isMade) rmSync(this.#path, { recursive: true, force: true });
  }
}

function makeDebian(release: string): string {
  const path = mkdtempSync(join(tmpdir(), `torc-root-${release}-`));
  // usr-is-merged and its hook keep all of perl out; Debian 11 does not have them
  const merged = ['--include=usr-is-merged', '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr'];
  const words = [
    '--quiet',
    '--mode=root',
    '--variant=minbase',
    '--format=directory',
    '--aptopt=Acquire::Languages "none"',
  ];
  execFileSync('mmdebstrap', [...words, ...(release === 'bullseye' ? [] : merged), release, path], { stdio: 'pipe' });
  return path;
}
