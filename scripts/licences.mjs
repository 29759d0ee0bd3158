// Prints THIRD_PARTY.md: name, version and licence of every package that is installed with torc or in its page, from the lock file. Fails on
// a licence that is not on the list, an unknown install script, or a dependency whose version is not exact: node scripts/licences.mjs > THIRD_PARTY.md
import { readFileSync } from 'node:fs';

const allowed = [
  'MIT',
  'MIT-0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  '0BSD',
  'Unlicense',
];
/** (MIT OR X) and similar: one of the alternatives is enough. */
const alternatives = (licence) => licence.replace(/[()]/g, '').split(' OR ');
const withInstallScript = ['better-sqlite3'];
/** Not installed with torc, but in the page of `torc dash` or in the documentation. */
const inPage = ['preact', '@dagrejs/dagre', '@dagrejs/graphlib', 'uplot', 'minisearch'];

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'));
const { dependencies, devDependencies } = read('package.json');
const { packages } = read('package-lock.json');

const problems = [];
const lines = [];
for (const [path, entry] of Object.entries(packages)) {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  if (path === '') continue;
  if (entry.hasInstallScript && !withInstallScript.includes(name)) problems.push(`${name} has an install script`);
  if (entry.dev && !inPage.includes(name)) continue;
  const licence = entry.license ?? 'unknown';
  const isAllowed = alternatives(licence).some((each) => allowed.includes(each));
  if (!isAllowed) problems.push(`${name} ${entry.version} has the licence ${licence}`);
  lines.push(`| ${name} | ${entry.version} | ${licence} |`);
}
for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
  if (!/^\d+\.\d+\.\d+$|^file:/.test(version)) problems.push(`${name} ${version} is not an exact version`);
}

console.log('# Packages that come with torc\n');
console.log('Written by `node scripts/licences.mjs > THIRD_PARTY.md` from `package-lock.json`.\n');
console.log('| package | version | licence |\n|---|---|---|');
console.log(lines.sort().join('\n'));
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
