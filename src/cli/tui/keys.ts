/** Keys by their names, from the characters that a terminal sends one by one. */
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../base/clock.ts';

/** After this long an escape character was the key, and nothing follows it. */
const loneEscapeMs = 60;

const sequences: Readonly<Record<string, string>> = {
  '[A': 'up',
  OA: 'up',
  '[B': 'down',
  OB: 'down',
  '[D': 'left',
  OD: 'left',
  '[C': 'right',
  OC: 'right',
  '[5~': 'page-up',
  '[6~': 'page-down',
  '[H': 'home',
  OH: 'home',
  '[1~': 'home',
  '[F': 'end',
  OF: 'end',
  '[4~': 'end',
};
const named: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x0c': 'redraw',
};

/** Takes characters as bytes; `press` gets a name, or the character that was typed. */
export function keyReader(clock: Clock, press: (key: string) => void): (byte: string) => void {
  const decoder = new StringDecoder('utf8');
  let sequence: string | null = null;
  let cancel = (): void => {};
  const endEscape = (key: string | null): void => {
    cancel();
    sequence = null;
    if (key !== null) press(key);
  };
  return (byte) => {
    if (byte === '\x1b') {
      if (sequence !== null) endEscape('escape');
      sequence = '';
      cancel = clock.after(loneEscapeMs, () => endEscape('escape'));
      return;
    }
    // Esc and then a key, faster than a person waits; `O` and `[` begin a sequence
    if (sequence === '' && byte !== '[' && byte !== 'O') endEscape('escape');
    if (sequence !== null) {
      sequence += byte;
      // it ends with a letter or a tilde
      if (sequence.length > 1 && (/[A-Za-z~]/.test(byte) || sequence.length >= 8)) {
        endEscape(sequences[sequence] ?? null);
      }
      return;
    }
    const key = named[byte];
    if (key !== undefined) return press(key);
    const character = decoder.write(Buffer.from(byte, 'latin1'));
    if (character !== '' && character >= ' ') press(character);
  };
}
