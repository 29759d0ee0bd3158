/** A shell in a terminal of tmux: what a person types and sees. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, vi } from 'vitest';
import { shellWord } from '../../src/base/text.ts';
import { mainJs } from './torc.ts';

export interface TerminalSize {
  columns: number;
  rows: number;
}

export interface Terminal {
  /** Clears the screen, types a line and presses Enter. */
  enter(line: string): void;
  /** Types text without Enter. */
  type(text: string): void;
  /** Presses a key by tmux's name for it, such as `C-c`, `Enter` or `Tab`. */
  press(key: string): void;
  /** Sends text in one piece, with Enter for each line break. */
  paste(text: string): void;
  resize(size: TerminalSize): void;
  /** The process that has the terminal. */
  foreground(): number;
  /** What has been printed since the last line was typed, as it is broken into lines on the screen. */
  screen(): string;
  /** Waits until the shell asks for the next line; the exit code of the last one. */
  ended(): Promise<number>;
  /** Waits until the screen shows a text, however it is broken into lines. */
  shows(text: string): Promise<void>;
  /** The terminal goes away, as when a connection breaks; the shell and what runs in it get SIGHUP. */
  hangUp(): void;
  close(): void;
}

const waiting = { timeout: 150_000, interval: 50 };

/** Whether there is a tmux here. */
export const hasTmux = spawnSync('tmux', ['-V']).status === 0;

/**
 * Opens a terminal in `directory`, with `torc` on the PATH, and waits for its prompt. The prompt is the number of the line
 * and the exit code of the last one.
 */
export async function openTerminal(
  directory: string,
  { columns, rows }: TerminalSize,
  variables: Record<string, string> = {},
): Promise<Terminal> {
  const programs = join(directory, '.programs');
  mkdirSync(programs, { recursive: true });
  const program = join(programs, 'torc');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${mainJs}' "$@"\n`);
  chmodSync(program, 0o755);
  const start = join(programs, 'bashrc');
  writeFileSync(start, "PS1='[\\#:$?] $ '\n");
  const { TORC_OUTPUT_DIR: _out, TORC_WORKFLOW_KEY: _key, NO_COLOR: _color, TMUX: _tmux, ...inherited } = process.env;
  const env = {
    ...inherited,
    LANG: 'C.UTF-8',
    ...variables,
    PATH: `${programs}${delimiter}${variables.PATH ?? process.env.PATH}`,
  };
  const socket = `torc-${process.pid}-${randomBytes(4).toString('hex')}`;
  const tmux = (...args: string[]): string => {
    const { stdout, stderr, status } = spawnSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
      cwd: directory,
      env,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`);
    return stdout;
  };
  tmux(
    'new-session',
    '-d',
    '-x',
    String(columns),
    '-y',
    String(rows),
    `bash --noprofile --rcfile ${shellWord(start)} -i`,
  );
  tmux('set-option', '-g', 'history-limit', '5000');
  let line = 0;
  const screen = (): string => tmux('capture-pane', '-p', '-S', '-').replace(/\s+$/, '');
  /** The exit code of the last line; null while it runs. */
  const code = (): number | null => {
    const [, number, status] = /\[(\d+):(\d+)\] \$$/.exec(screen()) ?? [];
    return Number(number) === line + 1 ? Number(status) : null;
  };
  const ended = async (): Promise<number> => {
    await vi.waitFor(() => expect(code(), screen()).not.toBeNull(), waiting);
    return code() as number;
  };
  await ended();
  return {
    enter(text) {
      tmux('send-keys', '-R');
      tmux('clear-history');
      line++;
      tmux('send-keys', '-l', text);
      tmux('send-keys', 'Enter');
    },
    type: (text) => void tmux('send-keys', '-l', text),
    press: (key) => void tmux('send-keys', key),
    paste(text) {
      tmux('set-buffer', text);
      tmux('paste-buffer');
    },
    resize: (size) => void tmux('resize-window', '-x', String(size.columns), '-y', String(size.rows)),
    foreground() {
      const shell = tmux('display-message', '-p', '#{pane_pid}').trim();
      const [, fields = ''] = readFileSync(`/proc/${shell}/stat`, 'utf8').split(') ');
      // the group of the terminal, whose leader has its number
      return Number(fields.split(' ')[5]);
    },
    screen,
    ended,
    async shows(text) {
      await vi.waitFor(() => expect(flat(screen())).toContain(flat(text)), waiting);
    },
    hangUp() {
      // a window of its own keeps the server for `close`
      tmux('new-window', '-d', 'cat');
      tmux('kill-pane', '-t', ':0');
    },
    close: () => void tmux('kill-server'),
  };
}

/** A text without its spaces and line breaks: a terminal breaks lines within words. */
export function flat(text: string): string {
  return text.replaceAll(/\s+/g, '');
}
