// Measures torc against baselines of the same run and prints a table. Fails nothing: figures are read by people.
//   npm run bench [-- --json --only NAME --size small|full --runs N]
import { parseArgs } from 'node:util';
import { claims } from './cases/claims.mjs';
import { creation } from './cases/creation.mjs';
import { durability } from './cases/durability.mjs';
import { graphs } from './cases/graphs.mjs';
import { noop } from './cases/noop.mjs';
import { restart } from './cases/restart.mjs';
import { server } from './cases/server.mjs';
import { startup } from './cases/startup.mjs';
import { header, printTable } from './report.mjs';

const cases = { noop, graphs, server, durability, creation, claims, restart, startup };
process.setMaxListeners(0);

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    size: { type: 'string', default: 'small' },
    runs: { type: 'string', default: '3' },
  },
});
const names = values.only ?? Object.keys(cases);
for (const name of names) {
  if (!(name in cases)) {
    console.error(`error: there is no case '${name}'\nhint: ${Object.keys(cases).join(', ')}`);
    process.exit(2);
  }
}

const rows = [];
for (const name of names) {
  if (!values.json) process.stderr.write(`${name} ..\n`);
  rows.push(...(await cases[name]({ isFull: values.size === 'full', runs: Number(values.runs) })));
}
if (values.json) console.log(JSON.stringify({ ...header(), size: values.size, rows }));
else printTable(rows, values.size);
