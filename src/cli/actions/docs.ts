/** `torc docs`: the address of the documentation, or of its sections that have certain words. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TorcError } from '../../base/errors.ts';
import { packageDirectory } from '../../base/version.ts';
import type { Context } from '../context/context.ts';
import { printResult } from '../output/output.ts';

/** A part of a page under a heading, as the search of the site has it. */
interface Section {
  link: string;
  title: string;
  heading: string;
  text: string;
}

const mostShown = 10;

export async function findDocs(context: Context, words: readonly string[]): Promise<void> {
  const site = join(packageDirectory(), 'dist', 'site');
  if (!existsSync(join(site, 'search-texts.js'))) {
    const hint = 'The tarball and the package of npm contain them; npm run site makes them in a checkout.';
    throw new TorcError('not_found', `there are no pages of the documentation in ${site}`, hint);
  }
  const addressOf = (link: string): string => `${pathToFileURL(site)}/${link}`;
  if (words.length === 0) {
    const url = addressOf('index.html');
    await printResult(context, { url }, () => `${url}\n`);
    return;
  }
  const found = sectionsWith(sectionsOf(site), words);
  if (found.length === 0) {
    const hint = `All pages: ${addressOf('index.html')}`;
    throw new TorcError('not_found', `no section of the documentation has ${words.join(' and ')}`, hint);
  }
  const sections = found
    .slice(0, mostShown)
    .map(({ title, heading, link }) => ({ page: title, heading, url: addressOf(link) }));
  await printResult(context, { sections }, () =>
    sections.map(({ page, heading, url }) => `${page === heading ? page : `${page}: ${heading}`}\n  ${url}\n`).join(''),
  );
}

function sectionsOf(site: string): Section[] {
  const script = readFileSync(join(site, 'search-texts.js'), 'utf8');
  return JSON.parse(script.slice(script.indexOf('=') + 1)) as Section[];
}

/** Those that have every word; a word in the heading counts more than one in the title, and that more than one in the text. */
function sectionsWith(sections: readonly Section[], words: readonly string[]): Section[] {
  const sought = words.map((word) => word.toLowerCase());
  const ranked = sections.map((section) => {
    const [heading, title, text] = [section.heading, section.title, section.text].map((part) => part.toLowerCase());
    const points = sought.map((word) =>
      heading?.includes(word) ? 9 : title?.includes(word) ? 3 : text?.includes(word) ? 1 : 0,
    );
    return { section, points: points.includes(0) ? 0 : points.reduce<number>((sum, each) => sum + each, 0) };
  });
  return ranked
    .filter(({ points }) => points > 0)
    .sort((a, b) => b.points - a.points)
    .map(({ section }) => section);
}
