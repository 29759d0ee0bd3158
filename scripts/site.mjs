// Makes the documentation site of the built program in dist/site, as files that a browser opens without a server and without
// network: `npm run site`. The documents are its pages; site/navigation.mjs has the menu. Another folder may be named.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Eleventy } from '@11ty/eleventy';
import { rolldown } from 'rolldown';
import { examplePages } from '../site/examples.mjs';
import { setUp } from '../site/markdown.mjs';
import { fileOf, others, sections, shortTitles } from '../site/navigation.mjs';
import { referencePages } from '../site/reference.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const site = resolve(process.argv[2] ?? join(root, 'dist', 'site'));
rmSync(site, { recursive: true, force: true });
mkdirSync(site, { recursive: true });

const dist = join(root, 'dist');
const examples = await examplePages(dist);
const made = new Map([...(await referencePages(dist)), ...examples]);
const listed = [...sections.flatMap(({ pages }) => pages), ...others];
const documents = [...listed, ...examples.keys()].filter((page) => page.endsWith('.md'));
const textOf = (page) => made.get(page) ?? readFileSync(join(root, page), 'utf8');
const titleOf = (page) => /^# (.*)$/m.exec(textOf(page))[1].replaceAll('`', '');
const menu = sections.map(({ title, pages }) => ({
  title,
  pages: pages.map((page) => ({ page, title: shortTitles[page] ?? titleOf(page) })),
}));

process.chdir(root);
const eleventy = new Eleventy('site', relative(root, site), {
  quietMode: true,
  config(options) {
    options.setLayoutsDirectory('layouts');
    options.setTemplateFormats(['md']);
    options.amendLibrary('md', (markdown) => {
      markdown.set({ linkify: false, html: true });
      setUp(markdown, documents);
    });
    for (const page of new Set([...documents, ...made.keys()])) {
      const data = { layout: 'page.11ty.mjs', permalink: fileOf(page), source: page, title: titleOf(page), menu };
      options.addTemplate(`${fileOf(page)}.md`, textOf(page), { ...data, templateEngineOverride: 'md' });
    }
  },
});
const pages = await eleventy.toJSON();
for (const { content, outputPath } of pages) writeFileSync(outputPath, content);

for (const name of ['site.css', 'reports']) cpSync(join(root, 'site', name), join(site, name), { recursive: true });
for (const name of ['LICENSE', 'docs/grafana-board.json'])
  cpSync(join(root, name), join(site, name), { recursive: true });
// pages of docs/ are at the top of the site, and so is what they show
cpSync(join(root, 'docs', 'drawings'), join(site, 'drawings'), { recursive: true });
writeFileSync(join(site, 'search-texts.js'), `globalThis.torcTexts=${JSON.stringify(pages.flatMap(textsOf))}\n`);
const search = await rolldown({ cwd: root, input: join('site', 'search.js'), platform: 'browser' });
await search.write({ file: join(site, 'search.js'), format: 'iife', minify: true });
await search.close();
writeFileSync(join(site, 'licences.txt'), licenceOf('minisearch'));
// the output of npm pack is the name of the file
console.error(`${join(site, 'index.html')}: ${pages.length} pages`);

function licenceOf(name) {
  const folder = join(root, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE.txt'), 'utf8').trim()}\n`;
}

/** What the search finds: each part of a page under a heading. */
function textsOf({ outputPath, content }) {
  const file = relative(site, join(root, outputPath));
  const body = content.slice(content.indexOf('<main>') + '<main>'.length, content.indexOf('</main>'));
  const title = plain(/<h1[^>]*>(.*?)<\/h1>/s.exec(body)[1]);
  return body.split(/(?=<h[1-3] id=)/).flatMap((part) => {
    const [, id, heading] = /^<h[1-3] id="([^"]+)"[^>]*>(.*?)<\/h[1-3]>/s.exec(part) ?? [];
    const link = `${file}#${id}`;
    return id === undefined ? [] : [{ id: link, link, title, heading: plain(heading), text: plain(part) }];
  });
}

function plain(html) {
  const entities = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#x27;': "'", '&amp;': '&' };
  return html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&[a-z#0-9]+;/g, (entity) => entities[entity] ?? ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
