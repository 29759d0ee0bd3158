/** `.ci/nightly` installs what the chosen parts need, and nothing else. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
let bin: string;
beforeEach(() => {
  place = newPlace();
  bin = join(place.path, 'bin');
  mkdirSync(bin);
  // nothing else is installed
  symlinkSync('/usr/bin/dirname', join(bin, 'dirname'));
  for (const name of ['npm', 'node', 'apt-get']) chmodSync(place.file(`bin/${name}`, '#!/bin/sh\n'), 0o755);
});
afterEach(() => place.remove());

function installed(...parts: string[]): string[] {
  const printed = execFileSync('/bin/bash', ['.ci/nightly', ...parts], { encoding: 'utf8', env: { PATH: bin } });
  expect(printed).toContain('nightly passed');
  return [...printed.matchAll(/apt-get install (?:--\S+ )*(.*)/g)].flatMap(([, names = '']) => names.split(' '));
}

it('installs what the chosen parts need, and nothing else', () => {
  expect(installed('sim', 'property')).toEqual([]);
  expect(installed('model')).toEqual(['spin', 'gcc', 'libc6-dev']);
  expect(installed('sim', 'others')).toEqual(['parallel']);
  expect(installed('package')).toEqual(['gcc', 'libc6-dev', 'mmdebstrap', 'iproute2', 'python3-pip']);
  chmodSync(place.file('bin/spin', '#!/bin/sh\n'), 0o755);
  expect(installed('model')).toEqual(['gcc', 'libc6-dev']);
});
