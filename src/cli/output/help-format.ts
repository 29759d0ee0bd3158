/** How help is laid out: it fits the terminal, and long terms do not push the descriptions to its edge. */
import { Help } from 'commander';

/** Help is as wide as the terminal up to this many columns. */
const widestHelp = 110;
/** Descriptions begin beside terms that are not longer; those of longer ones begin on the next line. */
const longestTerm = 30;
const narrowestDescription = 30;

export function helpWidth(columns: number): number {
  return Math.min(columns, widestHelp);
}

/** What Commander's help does differently on a terminal of so many columns; options below `lastHeading` come last. */
export function helpFormat(columns: number, lastHeading: string): Partial<Help> {
  return {
    helpWidth: helpWidth(columns),
    minWidthToWrap: narrowestDescription,
    padWidth: (command, helper) => {
      const terms = [
        ...helper.visibleOptions(command).map((option) => helper.optionTerm(option)),
        ...helper.visibleCommands(command).map((child) => helper.subcommandTerm(child)),
        ...helper.visibleArguments(command).map((argument) => helper.argumentTerm(argument)),
      ];
      return Math.max(0, ...terms.map((term) => term.length).filter((length) => length <= longestTerm));
    },
    formatHelp: (command, helper) => blockLast(new Help().formatHelp(command, helper), lastHeading),
    formatItem(term, termWidth, description, helper) {
      const item = (shown: string): string =>
        Help.prototype.formatItem.call(helper, shown, termWidth, description, helper);
      return term.length <= termWidth || description === '' ? item(term) : `  ${term}\n${item('')}`;
    },
  };
}

function blockLast(text: string, heading: string): string {
  const blocks = text.trimEnd().split('\n\n');
  const isLast = (block: string): boolean => block.startsWith(heading);
  return `${[...blocks.filter((block) => !isLast(block)), ...blocks.filter(isLast)].join('\n\n')}\n`;
}

/** Help text whose paragraphs and examples fit the width. */
export function brokenParagraphs(text: string, width: number): string {
  return text
    .replace(/([^\n])\n(Examples:)/g, '$1\n\n$2')
    .split('\n\n')
    .map((block) => (/^ /m.test(block) ? brokenList(block, width) : broken(block, width)))
    .join('\n\n');
}

/** A block with indented lines, such as a list below its heading. */
function brokenList(block: string, width: number): string {
  const isExamples = block.trimStart().startsWith('Examples:');
  return block
    .split('\n')
    .map((line) => {
      if (line.length <= width) return line;
      if (/^\S/.test(line)) return broken(line, width);
      return isExamples ? brokenExample(line, width) : line;
    })
    .join('\n');
}

/** An example on several lines, which the shell takes as one: its comment first, and broken where nothing is quoted. */
function brokenExample(example: string, width: number): string {
  const [, command = example, comment] = /^(.*?\S) +(# .*)$/.exec(example) ?? [];
  if (comment !== undefined) return `  ${comment}\n${brokenExample(command, width)}`;
  const end = lastBreak(example, width - ' \\'.length);
  if (example.length <= width || end === null) return example;
  return `${example.slice(0, end)} \\\n${brokenExample(`    ${example.slice(end + 1)}`, width)}`;
}

/** The last space before `width` that is outside of quotes and behind a word; null when there is none. */
function lastBreak(line: string, width: number): number | null {
  let [quote, last, hasWord] = ['', null as number | null, false];
  for (const [index, letter] of [...line.slice(0, width + 1)].entries()) {
    if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === "'" || letter === '"') quote = letter;
    else if (letter === ' ' && hasWord) last = index;
    hasWord ||= letter !== ' ';
  }
  return last;
}

function broken(paragraph: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.trim().split(/[ \n]/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  const [before] = /^\n*/.exec(paragraph) ?? [''];
  return `${before}${[...lines, line].join('\n')}${paragraph.endsWith('\n') ? '\n' : ''}`;
}
