// A small separate disk for the server directory that can be filled and made read-only. Needs root; otherwise there are no
// disk faults.
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
      // mounting is not allowed here
    }
  }

  /** Fills the disk until `free` is called as often; false if it is already read-only. */
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

  /** Makes the disk read-only; false if it is full or a file is open for writing. */
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

  /** Does nothing if it is not mounted. */
  unmount() {
    if (this.isMounted) spawnSync('umount', ['-l', this.#directory], { stdio: 'ignore' });
    this.isMounted = false;
  }
}

function mount(...words) {
  execFileSync('mount', words, { stdio: 'ignore' });
}
