/** Manual pages in roff, made from the help of each command: `torc-jobs-list.1`. */
import type { Command } from 'commander';
import { exitCodes } from '../../base/errors.ts';

/** Every page by the name of its file; `version` is in the foot of each, options under `globalHelp` only in that of torc. */
export function manPages(program: Command, version: string, globalHelp: string): Map<string, string> {
  const pages = new Map<string, string>();
  const visit = (command: Command, path: readonly string[]): void => {
    pages.set(`${path.join('-')}.1`, page(command, path, version, globalHelp));
    for (const child of childrenOf(command)) visit(child, [...path, child.name()]);
  };
  visit(program, ['torc']);
  return pages;
}

function childrenOf(command: Command): readonly Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
}

function page(command: Command, path: readonly string[], version: string, globalHelp: string): string {
  const name = path.join('-');
  const help = command.createHelp();
  const options = help.visibleOptions(command);
  const own = options.filter(({ helpGroupHeading }) => helpGroupHeading !== globalHelp);
  const isProgram = path.length === 1;
  const term = (option: (typeof options)[number]): [string, string] => [
    bold(option.flags),
    help.optionDescription(option),
  ];
  const sections: [string, string][] = [
    ['NAME', `${escaped(name)} \\- ${escaped(firstSentence(command.description()))}`],
    ['SYNOPSIS', `${bold(path.join(' '))} ${escaped(usageOf(command))}`],
    ['DESCRIPTION', paragraphs(command.description())],
    [
      'ARGUMENTS',
      terms(help.visibleArguments(command).map((each) => [italic(each.name()), help.argumentDescription(each)])),
    ],
    ['OPTIONS', terms((isProgram ? options : own).map(term))],
    [
      'COMMANDS',
      terms(childrenOf(command).map((child) => [bold([...path, child.name()].join(' ')), child.description()])),
    ],
    ...afterHelp(command),
    ['EXIT STATUS', isProgram ? terms(codes.map(([code, meaning]) => [bold(String(code)), meaning])) : ''],
    ['SEE ALSO', seeAlso(command, path)],
  ];
  const text = sections.filter(([, body]) => body !== '').map(([title, body]) => `.SH ${title}\n${body}\n`);
  return `.TH ${quotedWord(name.toUpperCase())} 1 "" ${quotedWord(`torc ${version}`)} "torc manual"\n.nh\n.ad l\n${text.join('')}`;
}

/** Without the name and what every command has. */
function usageOf(command: Command): string {
  return command.usage().replace(/^\[options\] ?/, '[options] ');
}

/** The description is one sentence, sometimes with more behind a colon or a semicolon. */
function firstSentence(text: string): string {
  return text.split(/(?<=[a-z)])[:;.](?:\s|$)/)[0]?.replace(/\s+/g, ' ') ?? '';
}

/** What the help says after its lists: paragraphs, and examples. */
function afterHelp(command: Command): [string, string][] {
  let whole = '';
  command.configureOutput({
    writeOut: (text) => {
      whole += text;
    },
  });
  command.outputHelp();
  const after = whole.slice(command.helpInformation().length);
  const at = after.indexOf('Examples:\n');
  const [prose, examples] = at < 0 ? [after, ''] : [after.slice(0, at), after.slice(at + 'Examples:\n'.length)];
  return [
    ['NOTES', literal(prose)],
    ['EXAMPLES', literal(examples)],
  ];
}

const codes: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'success'],
  [exitCodes.jobs_failed, 'jobs failed, or the run ended without all of them'],
  [exitCodes.usage, 'the command line or the specification is wrong'],
  [exitCodes.not_found, 'what was named does not exist'],
  [exitCodes.conflict, 'the current state does not allow it'],
  [exitCodes.unreachable, 'the server or the database cannot be used'],
  [exitCodes.slurm, 'Slurm refused it, or its commands failed'],
  [exitCodes.already_complete, 'nothing is left to run'],
  [exitCodes.timeout, 'it took longer than its time limit'],
  [exitCodes.bug, 'a bug in torc'],
  [exitCodes.interrupted, 'it was interrupted'],
];

function seeAlso(command: Command, path: readonly string[]): string {
  const around = path.length === 1 ? [] : [path.slice(0, -1), ...siblings(command, path)];
  return around.map((each) => `${bold(each.join('-'))}(1)`).join(',\n');
}

function siblings(command: Command, path: readonly string[]): string[][] {
  const { parent } = command;
  if (parent === null || path.length < 3) return [];
  const others = childrenOf(parent).filter((child) => child !== command);
  return others.map((child) => [...path.slice(0, -1), child.name()]);
}

function terms(entries: readonly (readonly [term: string, text: string])[]): string {
  return entries.map(([term, text]) => `.TP\n${term}\n${paragraphs(text) || '\\&'}`).join('\n');
}

function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((part) => escaped(part.replace(/\s+/g, ' ').trim()))
    .join('\n.PP\n');
}

/** Line by line as it is. */
function literal(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^ {2}/, ''));
  while (lines.length > 0 && lines[0]?.trim() === '') lines.shift();
  while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop();
  return lines.length === 0 ? '' : `.nf\n${lines.map((line) => (line === '' ? '.sp' : escaped(line))).join('\n')}\n.fi`;
}

/** Text that roff prints as it is, and that can be pasted: hyphens stay hyphens. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^(?=[.])/gm, '\\&');
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

function quotedWord(text: string): string {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`;
}
