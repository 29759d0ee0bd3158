/** How the documents become HTML: anchors, links between pages, code. */
import { dirname, join, normalize } from 'node:path';
import highlight from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import typescript from 'highlight.js/lib/languages/typescript';
import yaml from 'highlight.js/lib/languages/yaml';
import anchor from 'markdown-it-anchor';
import { fileOf } from './navigation.mjs';
import { slugOf } from './slug.mjs';

const languages = { bash, sh: bash, json, json5: json, python, ts: typescript, yaml };
for (const [name, language] of Object.entries(languages)) highlight.registerLanguage(name, language);

/** `pages` are the documents that have pages. */
export function setUp(markdown, pages) {
  markdown.use(anchor, { slugify: slugOf, tabIndex: false });
  const { rules } = markdown.renderer;
  rules.fence = ([...tokens], index) => {
    const [, language = '', title] = /^(\S*)[^[]*(?:\[(.+)\])?/.exec(tokens[index].info) ?? [];
    const caption = title === undefined ? '' : `<figcaption>${markdown.utils.escapeHtml(title)}</figcaption>`;
    return `<figure>${caption}<pre tabindex="0"><code>${coloured(tokens[index].content, language)}</code></pre></figure>\n`;
  };
  rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
  rules.table_close = () => '</table></div>\n';
  const coloured = (text, language) => {
    if (language in languages) return highlight.highlight(text, { language }).value;
    const escaped = markdown.utils.escapeHtml(text);
    return /^\$ /m.test(text) ? escaped.replaceAll(/^\$ .*(?:\\\n.*)*/gm, '<b>$&</b>') : escaped;
  };
  markdown.core.ruler.push('links', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type === 'link_open') token.attrSet('href', linkOnSite(token.attrGet('href'), env.source, pages));
      if (token.type === 'image' && env.source !== undefined)
        token.attrSet('src', normalize(join(dirname(env.source), token.attrGet('src'))).replace(/^docs\//, ''));
    }
  });
}

/** A link of a document, where its target is on the site. */
function linkOnSite(link, source, pages) {
  if (source === undefined || /^([a-z]+:|#)/.test(link)) return link;
  const [path = '', heading] = link.split('#');
  const target = normalize(join(dirname(source), path));
  const file = pages.includes(target) ? fileOf(target) : target;
  return heading === undefined ? file : `${file}#${heading}`;
}
