// Lists the manual pages of the built program in package.json, from where npm installs them: `npm run manual`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const path = join(root, 'package.json');
const described = JSON.parse(readFileSync(path, 'utf8'));
const pages = readdirSync(join(root, 'dist', 'man')).sort();
const man = pages.map((name) => `dist/man/${name}`);
writeFileSync(path, `${JSON.stringify({ ...described, man }, null, 2)}\n`);
console.log(`package.json lists ${man.length} manual pages`);
