/** What pictures as SVG have in common: numbers, texts, colours in light and dark. */

export function pixels(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text inside of XML and HTML, also of attributes. Control characters, which XML cannot contain, are marked; a line break stays
 * visible.
 */
export function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (character) => entities[character] ?? '')
      .replace(/\r\n|\r|\n/g, '⏎')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are matched on purpose
      .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Cs}/gu, '\ufffd')
  );
}

/** By the class of what is drawn; `light` and `dark`. */
const paints: Readonly<Record<string, readonly [property: 'fill' | 'stroke', light: string, dark: string]>> = {
  ground: ['fill', '#ffffff', '#16191d'],
  text: ['fill', '#263238', '#dce3e8'],
  faint: ['fill', '#607d8b', '#8fa3ae'],
  grid: ['stroke', '#e3e8eb', '#2c343a'],
  box: ['fill', '#fafafa', '#1e2429'],
  band: ['fill', '#f3f6f8', '#1d2329'],
  had: ['fill', '#dbe3e8', '#313b43'],
  given: ['fill', '#90caf9', '#2f6ea5'],
  used: ['fill', '#1565c0', '#7cc0ff'],
  waits: ['fill', '#ffe0b2', '#6b4d1e'],
  success: ['fill', '#66bb6a', '#4c9a52'],
  failed: ['fill', '#e53935', '#ef5350'],
  forgiven: ['fill', '#aed581', '#7d9b55'],
  canceled: ['fill', '#ffca28', '#c79a1c'],
  terminated: ['fill', '#fb8c00', '#d77a08'],
  lost: ['fill', '#8e24aa', '#b45fcb'],
  running: ['fill', '#26c6da', '#2a9fb0'],
};

/** The rules of all classes; a picture alone and a page with pictures need them once. */
export function svgStyle(): string {
  const rules = (which: 1 | 2): string =>
    Object.entries(paints)
      .map(([name, paint]) => `.${name}{${paint[0]}:${paint[which]}}`)
      .join('');
  return `${rules(1)}@media (prefers-color-scheme:dark){${rules(2)}}@media print{${rules(1)}}`;
}

export interface Picture {
  /** What it shows, for those who cannot see it. */
  title: string;
  width: number;
  height: number;
  /** SVG. */
  content: string;
}

/** As a part of a page that has the style. */
export function inlineSvg({ title, width, height, content }: Picture): string {
  const size = `viewBox="0 0 ${pixels(width)} ${pixels(height)}" width="${pixels(width)}" height="${pixels(height)}"`;
  return `<svg ${size} role="img" font-family="sans-serif" font-size="11"><title>${escaped(title)}</title>${content}</svg>`;
}

/** As a file of its own. */
export function svgFile(picture: Picture): string {
  const style = `<style>${svgStyle()}</style><rect class="ground" width="100%" height="100%"/>`;
  const svg = inlineSvg({ ...picture, content: style + picture.content });
  return `${svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}

/** A label; `anchor` is the end of the text that is at x. */
export function label(
  text: string,
  at: { x: number; y: number; anchor?: 'start' | 'middle' | 'end'; className?: string },
): string {
  const { x, y, anchor = 'start', className = 'text' } = at;
  const end = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${className}" x="${pixels(x)}" y="${pixels(y)}"${end}>${escaped(text)}</text>`;
}

/** The colours of a picture and what they mean, in one line. */
export function legend(entries: readonly (readonly [className: string, word: string])[], x: number, y: number): string {
  let at = x;
  return entries
    .map(([className, word]) => {
      const box = `<rect class="${className}" x="${pixels(at)}" y="${pixels(y - 9)}" width="10" height="10"/>`;
      const text = label(word, { x: at + 14, y, className: 'faint' });
      at += 26 + word.length * 6.2;
      return box + text;
    })
    .join('');
}
