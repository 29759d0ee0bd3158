/**
 * Documents whose commands are all run, in order and in an empty directory, with the files of their blocks such as
 * ```` ```yaml [study.yaml] ````. Each command must print what the document shows. `npm run documents` writes what they print
 * now into the documents.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Block, blocksOf, readDocument, root, shownIn } from '../support/documents.ts';
import { killLeftovers, mainJs } from '../support/torc.ts';

const run = ['docs/tutorial.md'];
const isRefreshed = process.env.TORC_REFRESH_DOCUMENTS === '1';

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'torc-document-'));
  for (const name of ['bin', 'study']) mkdirSync(join(place, name));
  writeFileSync(join(place, 'bin', 'torc'), `#!/bin/sh\nexec "${process.execPath}" "${mainJs}" "$@"\n`);
  chmodSync(join(place, 'bin', 'torc'), 0o755);
});
afterEach(() => {
  killLeftovers(place);
  rmSync(place, { recursive: true, force: true, maxRetries: 5 });
});

/** What a command prints, as the documents show it: a user `me` on `node1`, and no progress, of which a terminal keeps nothing. */
function printed(command: string): Promise<string> {
  const { TORC_OUTPUT_DIR: _out, TORC_WORKFLOW_KEY: _key, ...rest } = process.env;
  const PATH = `${join(place, 'bin')}:${process.env.PATH}`;
  const env = {
    ...rest,
    PATH,
    HOME: place,
    TORC_DIR: join(place, '.torc'),
    XDG_CONFIG_HOME: '/nowhere',
    COLUMNS: '100',
  };
  return new Promise((fulfil) => {
    const options = { cwd: join(place, 'study'), env };
    // what a command prints counts, also when it fails
    execFile('bash', ['-c', `exec 2>&1\n${command}`], options, (_error, stdout) => {
      const text = stdout.replaceAll(/^\d+\/\d+ done.*\n/gm, '').replaceAll(place, '/home/me');
      fulfil(text.replaceAll(new RegExp(`\\b${hostname()}\\b`, 'g'), 'node1'));
    });
  });
}

/** Without what differs from run to run. */
function comparable(output: string): string {
  return output
    .replaceAll(/^elapsed: .*$/gm, 'elapsed: TIME')
    .replaceAll(/\b\d\d\d\d-\d\d-\d\d[T ][\d:.]+Z?\b/g, 'INSTANT')
    .replaceAll(/\b[\d.]+ (ms|s|min|h)\b/g, 'TIME')
    .replaceAll(/[ \t]+/g, ' ');
}

/** The block with what its commands print. */
async function refreshed(block: Block): Promise<string> {
  const parts: string[] = [];
  for (const { command, output } of shownIn(block)) {
    const now = await printed(command);
    const kept = comparable(now) === comparable(output) ? output : now;
    parts.push(`$ ${command}\n${kept === '' || kept.endsWith('\n') ? kept : `${kept}\n`}`);
  }
  return parts.join('');
}

it.each(run)('%s shows what its commands print', async (path) => {
  const lines = readDocument(path).split('\n');
  const fresh = [...lines];
  let commands = 0;
  // from the end of the document the lines before keep their numbers
  const changed: { block: Block; text: string }[] = [];
  for (const block of blocksOf(lines.join('\n'))) {
    const name = /^\[(.+)\]$/.exec(block.info)?.[1];
    if (name !== undefined) writeFileSync(join(place, 'study', name), block.text);
    if (block.language !== 'console') continue;
    commands += shownIn(block).length;
    changed.push({ block, text: await refreshed(block) });
  }
  for (const { block, text } of changed.reverse()) {
    fresh.splice(block.line - 1, block.text.split('\n').length - 1, ...text.split('\n').slice(0, -1));
  }
  expect(commands).toBeGreaterThan(0);
  if (isRefreshed) writeFileSync(join(root, path), fresh.join('\n'));
  else expect(fresh.join('\n'), 'npm run documents writes what they print now').toBe(lines.join('\n'));
});
