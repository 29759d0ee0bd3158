/** The frame of every page: menu, search, the headings of the page. */
import { fileOf } from '../navigation.mjs';

export function render({ content, title, source, menu }) {
  const headings = [...content.matchAll(/<h2 id="([^"]+)"[^>]*>(.*?)<\/h2>/g)];
  const inside = headings.map(([, id, text]) => `<li><a href="#${id}">${text.replaceAll(/<\/?a[^>]*>/g, '')}</a></li>`);
  const toc = inside.length < 2 ? '' : `<nav class="toc" aria-label="On this page"><ul>${inside.join('')}</ul></nav>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title === 'torc' ? 'torc' : `${title} - torc`}</title>
<link rel="stylesheet" href="site.css">
<script defer src="search.js"></script>
</head>
<body>
<header>
<a class="name" href="index.html">torc</a>
<a class="to-menu" href="#menu">Menu</a>
<div class="search" role="search">
<input type="search" placeholder="Search" aria-label="Search the documentation" autocomplete="off">
<ol class="found" hidden></ol>
</div>
</header>
<div class="columns">
<main>
${content}
</main>
${toc}
<nav id="menu" aria-label="Pages">${menu.map((section) => sectionOf(section, source)).join('')}</nav>
</div>
</body>
</html>
`;
}

function sectionOf({ title, pages }, source) {
  const items = pages.map(({ page, title }) => {
    const here = page === source ? ' aria-current="page"' : '';
    return `<li><a href="${fileOf(page)}"${here}>${title}</a></li>`;
  });
  return `<h2>${title}</h2><ul>${items.join('')}</ul>`;
}
