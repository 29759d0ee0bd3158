// Prints all texts of torc for reading: the help of every command, then every message, hint and log text in the sources, one
// per line with file and line: `npm run texts`. `--help-only` and `--messages-only` (after `--`) print one half.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { parseAst } from 'rolldown/parseAst';

// SQL has its keywords in capitals
const sqlWord = /\b(SELECT|FROM|WHERE|INSERT|UPDATE|VALUES|SET|ORDER BY|PRAGMA|CREATE|EXISTS|AS|CASE|AND|REFERENCES)\b/;
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const half = { type: 'boolean', default: false };
const { values } = parseArgs({ options: { 'help-only': half, 'messages-only': half } });
// a reader may stop early: npm run texts | head
process.stdout.on('error', () => process.exit(0));

const helps = await allHelps();
if (!values['messages-only']) console.log(helps.join('\n\n'));
if (!values['help-only']) console.log(allMessages(oneLine(helps.join('\n'))).join('\n'));

/** The help of each command; the first one shows the global options, the others leave them out. */
async function allHelps() {
  const { declareProgram } = await import('../dist/cli/program.js');
  const { globalHelp } = await import('../dist/cli/input/options.js');
  const program = await declareProgram(() => {});
  const found = [];
  const visit = (command, path) => {
    let text = '';
    command.configureOutput({
      writeOut: (piece) => {
        text += piece;
      },
    });
    command.outputHelp();
    const own = command === program ? text : withoutSection(text, globalHelp);
    found.push(`==== ${path.join(' ')}\n${own.trim()}`);
    for (const child of command.commands) if (child.name() !== 'help') visit(child, [...path, child.name()]);
  };
  visit(program, ['torc']);
  return found;
}

/** Sections are separated by empty lines and begin with their title. */
function withoutSection(help, title) {
  return help
    .split('\n\n')
    .filter((section) => !section.startsWith(title))
    .join('\n\n');
}

function allMessages(known) {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return files.sort().flatMap((name) => {
    const source = readFileSync(join(root, 'src', name), 'utf8');
    const lines = textsIn(source, name)
      .filter(({ text }) => isForPeople(text) && !known.includes(text))
      .map(({ line, text }) => `src/${name}:${line}  ${text}`);
    return lines.length === 0 ? [] : ['', ...lines];
  });
}

/** The texts of a file in order, with computed parts as {expression}. */
function textsIn(source, name) {
  const found = [];
  const lineOf = (offset) => source.slice(0, offset).split('\n').length;
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object' || typeof node.type !== 'string') return;
    if (/^(Import|ExportAll|TSLiteralType)/.test(node.type)) return;
    const text = textOf(node);
    if (text !== null) found.push({ line: lineOf(node.start), text: oneLine(text) });
    // expressions inside a text may contain texts too
    if (node.type !== 'Literal') for (const [key, value] of Object.entries(node)) if (key !== 'quasis') visit(value);
  };
  const textOf = (node) => {
    if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
    if (node.type !== 'TemplateLiteral') return null;
    const computed = node.expressions.map(({ start, end }) => `{${source.slice(start, end)}}`);
    return node.quasis.map(({ value }, index) => value.cooked + (computed[index] ?? '')).join('');
  };
  visit(parseAst(source, { lang: 'ts' }, name).body);
  return found;
}

function oneLine(text) {
  return text.replace(/\s+/g, ' ').trim();
}

/** Two words at least, and neither SQL nor markup. */
function isForPeople(text) {
  const words = text.replace(/\{[^}]*\}/g, ' ').match(/(?<![\w.$-])[A-Za-z][a-z']+(?![\w(=])/g) ?? [];
  const isProse = words.length >= 2 && /[a-z] [a-z{]|[a-z][:,;] /i.test(text);
  return isProse && !sqlWord.test(text) && !text.startsWith('<');
}
