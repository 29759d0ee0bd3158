/** How wide texts are on a terminal, and how they fit into a width. */

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/;
const combining = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is how colours begin
const colors = /\x1b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const parts = /\x1b\[[0-9;]*m|./gsu;

function characterWidth(character: string): number {
  if (combining.test(character)) return 0;
  return wide.test(character) || (character.codePointAt(0) ?? 0) >= 0x1f300 ? 2 : 1;
}

/** The width of the text in terminal columns; colours take none. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text.replace(colors, '')) width += characterWidth(character);
  return width;
}

/** The text cut to at most `columns`, ending in `…` when it was cut, without the colours after that. */
export function fitWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let fitted = '';
  let width = 0;
  let hasColor = false;
  for (const [part] of text.matchAll(parts)) {
    const isColor = part.length > 2;
    width += isColor ? 0 : characterWidth(part);
    if (width > columns - 1) break;
    hasColor ||= isColor;
    fitted += part;
  }
  return columns < 1 ? '' : `${fitted}…${hasColor ? '\x1b[0m' : ''}`;
}

/** A command to type at the end of a text stays on one line, so that it can be copied. */
const finalCommand = / (?=torc [^:]*$)/;

/** The lines of a text, broken at spaces; a word that is longer than `width` has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const [words = '', command] = text.split(finalCommand);
  const units = [...words.split(' '), ...(command === undefined ? [] : [command])];
  const lines: string[] = [];
  for (const unit of units) {
    const longer = `${lines.at(-1)} ${unit}`;
    if (lines.length > 0 && displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(unit);
  }
  return lines;
}
