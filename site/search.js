// Searches the headings and texts of all pages in the browser. The texts are a script, because a page that is opened from a file
// may not fetch anything; it is loaded when somebody begins to search.
import MiniSearch from 'minisearch';

const input = document.querySelector('.search input');
const list = document.querySelector('.found');
let index = null;

input.addEventListener('focus', load, { once: true });
input.addEventListener('input', show);
input.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') hide();
  if (event.key === 'Enter') list.querySelector('a')?.click();
  if (event.key === 'ArrowDown') list.querySelector('a')?.focus();
});
list.addEventListener('keydown', (event) => {
  const item = document.activeElement?.closest('li');
  if (event.key === 'Escape') hide();
  if (event.key === 'ArrowDown') item?.nextElementSibling?.querySelector('a').focus();
  if (event.key === 'ArrowUp') (item?.previousElementSibling?.querySelector('a') ?? input).focus();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || document.activeElement === input) return;
  event.preventDefault();
  input.focus();
});
document.addEventListener('click', ({ target }) => {
  if (!target.closest('.search')) list.hidden = true;
});

function load() {
  const script = document.createElement('script');
  script.src = 'search-texts.js';
  script.onload = () => {
    index = new MiniSearch({
      fields: ['heading', 'title', 'text'],
      storeFields: ['heading', 'title', 'link'],
      searchOptions: { boost: { heading: 4, title: 2 }, prefix: true, fuzzy: 0.15, combineWith: 'AND' },
    });
    index.addAll(globalThis.torcTexts);
    show();
  };
  document.head.append(script);
}

function hide() {
  list.hidden = true;
  input.focus();
}

function show() {
  if (index === null) return;
  const found = index.search(input.value).slice(0, 12);
  list.replaceChildren(...found.map(itemOf));
  if (found.length === 0) list.append(Object.assign(document.createElement('li'), { textContent: 'Nothing found.' }));
  list.hidden = input.value.trim() === '';
}

function itemOf({ heading, title, link }) {
  const item = document.createElement('li');
  const anchor = Object.assign(document.createElement('a'), { href: link, textContent: heading });
  anchor.append(Object.assign(document.createElement('small'), { textContent: heading === title ? '' : title }));
  item.append(anchor);
  return item;
}
