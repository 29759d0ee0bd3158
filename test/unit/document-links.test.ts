/** Links in documents lead to files and headings that exist. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';
import { sections } from '../../site/navigation.mjs';
import { documents, headingsOf, readDocument, root, sentencesOf } from '../support/documents.ts';

/** The targets of the links in a document that lead to no other host. */
function linksIn(path: string): string[] {
  const text = sentencesOf(readDocument(path)).replaceAll(/`[^`\n]*`/g, '');
  const targets = [...text.matchAll(/\]\(([^()\s]*(?:\([^()]*\)[^()\s]*)*)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

it('every link leads to a file and a heading', () => {
  const broken: string[] = [];
  let count = 0;
  for (const path of documents) {
    for (const link of linksIn(path)) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : normalize(join(dirname(path), decodeURIComponent(file)));
      count += 1;
      if (!existsSync(join(root, target))) broken.push(`${path}: ${link} is no file`);
      else if (anchor !== undefined && !headingsOf(readDocument(target)).includes(anchor))
        broken.push(`${path}: ${link} is no heading`);
    }
  }
  expect(count).toBeGreaterThan(100);
  expect(broken).toEqual([]);
});

it('the menu of the site has each document once', () => {
  const listed = sections.flatMap((section) => section.pages).filter((page) => page.startsWith('docs/'));
  expect(listed.sort()).toEqual(documents.filter((path) => path.startsWith('docs/')).sort());
});
