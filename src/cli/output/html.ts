/** Parts of pages as HTML: facts, tables, a page that needs nothing beside itself. */
import { escaped, svgStyle } from './svg.ts';

/** Text that is HTML already. */
export interface Html {
  html: string;
}

export type Cell = string | number | null | undefined | Html;

function cellHtml(cell: Cell): string {
  if (cell === null || cell === undefined || cell === '') return '–';
  return typeof cell === 'object' ? cell.html : escaped(String(cell));
}

/** Names with values; those without a value are left out. */
export function facts(entries: readonly (readonly [name: string, value: Cell])[]): string {
  const known = entries.filter(([, value]) => value !== null && value !== undefined && value !== '');
  const rows = known.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${cellHtml(value)}</dd>`);
  return rows.length === 0 ? '' : `<dl>${rows.join('')}</dl>`;
}

export interface Column<R> {
  head: string;
  cell: (row: R) => Cell;
  isNumeric?: boolean;
}

/** At most `most` rows, and how many are left out. */
export function table<R>(columns: readonly Column<R>[], rows: readonly R[], most = 200): string {
  const align = (column: Column<R>): string => (column.isNumeric === true ? ' class="number"' : '');
  const head = columns.map((column) => `<th scope="col"${align(column)}>${escaped(column.head)}</th>`).join('');
  const body = rows.slice(0, most).map((row) => {
    return `<tr>${columns.map((column) => `<td${align(column)}>${cellHtml(column.cell(row))}</td>`).join('')}</tr>`;
  });
  const left = rows.length - most;
  const note = left > 0 ? `<p class="note">and ${left} more</p>` : '';
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>${note}`;
}

export interface Section {
  id: string;
  title: string;
  /** HTML. */
  content: string;
}

/** A page without scripts that loads nothing. */
export function page(title: string, head: string, sections: readonly Section[], foot: string): string {
  const links = sections.map(({ id, title: words }) => `<a href="#${id}">${escaped(words)}</a>`).join('');
  const bodies = sections.map(({ id, title: words, content }) => {
    return `<section id="${id}"><h2>${escaped(words)}</h2>\n${content}\n</section>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${pageStyle}${svgStyle()}</style></head>
<body><header>${head}<nav>${links}</nav></header>
<main>${bodies.join('\n')}</main>
<footer>${escaped(foot)}</footer></body></html>
`;
}

const light = '--ground:#fff;--text:#1f2a30;--faint:#5f7480;--line:#e1e7ea;--card:#f5f8f9;--link:#1565c0';
const dark = '--ground:#16191d;--text:#dce3e8;--faint:#93a5af;--line:#2f383f;--card:#1e2429;--link:#7cc0ff';

const pageStyle = `
:root{${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
@media print{:root{${light}}nav{display:none!important}section{break-inside:auto}h2{break-after:avoid}tr,svg,.card{break-inside:avoid}.chart svg{min-width:0!important}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1180px;padding:24px 20px;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
h1{font-size:26px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:19px;margin:36px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:15px;margin:20px 0 6px}p{margin:6px 0}a{color:var(--link)}.note,footer{color:var(--faint);font-size:13px}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:12px}footer{margin-top:40px;border-top:1px solid var(--line);padding-top:8px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:10px;margin:14px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px 12px}
.card b{display:block;font-size:21px;font-weight:600;overflow-wrap:anywhere}.card span{color:var(--faint);font-size:13px}
.bar{display:flex;height:14px;border-radius:4px;overflow:hidden;background:var(--card);margin:12px 0 6px}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:14px;width:100%}
th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:break-word}
th{color:var(--faint);font-weight:600;white-space:nowrap}.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td{min-width:50px}td code,td .name{display:inline-block;min-width:16ch;overflow-wrap:anywhere}dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:8px 0}dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
svg{max-width:100%;height:auto}.paper,.chart{overflow-x:auto}.paper svg{max-width:none}.chart svg{display:block;min-width:960px}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px;overflow:auto;font-size:12.5px;max-height:480px;white-space:pre-wrap;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--link)}code{font-size:13px;overflow-wrap:anywhere}
`;
