// A small disk of its own for the server directory, which can be filled and made read-only. Needs root; elsewhere the
// faults of the disk are left out.
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const sizeMb = 48;

export class Disk {
  #directory;
  #numFull = 0;
  #isReadOnly = false;
  isMounted = false;

  constructor(directory) {
    this.#directory = directory;
    if (process.getuid() !== 0) return;
    try {
      mount('-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=0700`, 'torc-chaos', directory);
      this.isMounted = true;
    } catch {
      // not allowed here
    }
  }

  /** Nothing more can be written until `free` is called as often; false when it is read-only already. */
  fill() {
    if (this.#isReadOnly) return false;
    this.#numFull += 1;
    const file = openSync(this.#filler, 'a');
    const piece = Buffer.alloc(4096, 'x');
    try {
      for (;;) writeSync(file, piece);
    } catch {
      // full
    } finally {
      closeSync(file);
    }
    return true;
  }

  free() {
    this.#numFull -= 1;
    if (this.#numFull === 0) rmSync(this.#filler, { force: true });
  }

  get #filler() {
    return join(this.#directory, 'filler');
  }

  /** False when it is full, and when somebody has a file open for writing. */
  makeReadOnly() {
    if (this.#numFull > 0) return false;
    try {
      mount('-o', 'remount,ro', this.#directory);
      this.#isReadOnly = true;
      return true;
    } catch {
      return false;
    }
  }

  makeWritable() {
    mount('-o', 'remount,rw', this.#directory);
    this.#isReadOnly = false;
  }

  /** Harmless when it is not mounted. */
  unmount() {
    if (this.isMounted) spawnSync('umount', ['-l', this.#directory], { stdio: 'ignore' });
    this.isMounted = false;
  }
}

function mount(...words) {
  execFileSync('mount', words, { stdio: 'ignore' });
}
