/** Pages that are made from the program itself: the help of each command, the endpoints of the server, the keys of a specification. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { schemaPage } from './schema-page.mjs';

/** Markdown of each page, by its name. `dist` is the built program. */
export async function referencePages(dist) {
  const { declareProgram } = await import(pathToFileURL(join(dist, 'cli', 'program.js')).href);
  const { globalHelp } = await import(pathToFileURL(join(dist, 'cli', 'input', 'options.js')).href);
  const program = await declareProgram(() => {});
  const read = (name) => JSON.parse(readFileSync(join(dist, name), 'utf8'));
  const pages = new Map([
    ['endpoints', endpointsPage(read('openapi.json'))],
    ['specification-keys', schemaPage(read('workflow.schema.json'))],
  ]);
  const top = childrenOf(program);
  for (const command of top) pages.set(`command-${command.name()}`, commandPage(command, globalHelp));
  const rows = top.map(
    (command) => `| [\`torc ${command.name()}\`](command-${command.name()}.html) | ${cell(command.description())} |`,
  );
  const list = `| command | |\n|---|---|\n${rows.join('\n')}\n`;
  const text = `# Commands\n\nEach page shows what \`--help\` prints.\n\n${list}\n## torc\n\n${block(helpOf(program))}`;
  return pages.set('commands', text);
}

function commandPage(top, globalHelp) {
  const parts = [];
  const visit = (command, path) => {
    const title = path.length === 2 ? `# ${path.join(' ')}` : `## ${path.join(' ')}`;
    const sections = helpOf(command).split('\n\n');
    parts.push(`${title}\n\n${block(sections.filter((section) => !section.startsWith(globalHelp)).join('\n\n'))}`);
    for (const child of childrenOf(command)) visit(child, [...path, child.name()]);
  };
  visit(top, ['torc', top.name()]);
  parts.push('Options that every command has are under [torc](commands.html#torc).\n');
  return parts.join('\n');
}

function childrenOf(command) {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== 'help');
}

function helpOf(command) {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text.trim();
}

function endpointsPage({ paths }) {
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { summary = '' }]) => `| \`${method.toUpperCase()} ${path}\` | ${cell(summary)} |`,
    ),
  );
  return `# Endpoints

The endpoints of the server, from its OpenAPI document, which \`torc server openapi\` prints with the schema of each request and
reply. [HTTP](http.html) says how a program connects.

| endpoint | |
|---|---|
${rows.join('\n')}
`;
}

function block(text) {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replace(/\s+/g, ' ');
}
