/** A page for each example: its README, the graph as the program draws it, a link to the report of a run, and its files. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const languages = { '.yaml': 'yaml', '.json5': 'json5', '.py': 'python', '.sh': 'sh' };

/** Markdown of each page, by the path of its README. `dist` is the built program. */
export async function examplePages(dist) {
  const { readExamples } = await import(pathToFileURL(join(dist, 'base', 'examples.js')).href);
  return new Map(
    readExamples().map(({ name, directory, file }) => {
      const names = readdirSync(directory).filter((each) => each !== 'README.md');
      // the specification first
      names.sort((a, b) => Number(join(directory, b) === file) - Number(join(directory, a) === file));
      const files = names.map((each) => block(each, readFileSync(join(directory, each), 'utf8')));
      const text = readFileSync(join(directory, 'README.md'), 'utf8');
      const graph = `## The graph\n\n<figure class="graph" tabindex="0">\n${drawn(dist, file)}</figure>\n`;
      const report = `## The report\n\n<a href="reports/${name}.html">The report of a run</a>, as \`torc reports html\` writes it.\n`;
      return [`examples/${name}/README.md`, `${text}\n${graph}\n${report}\n## The files\n\n${files.join('\n')}`];
    }),
  );
}

function drawn(dist, file) {
  const words = [join(dist, 'cli', 'main.js'), 'graphs', 'plot', '--spec', file, '--format', 'svg'];
  return execFileSync(process.execPath, words, { encoding: 'utf8', cwd: '/' });
}

function block(name, text) {
  return `\`\`\`${languages[extname(name)] ?? 'text'} [${name}]\n${text.trimEnd()}\n\`\`\`\n`;
}
