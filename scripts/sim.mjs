// Runs many seeds of the simulator: `npm run sim -- --seeds 1000 --first 0`. A failing seed is replayed by
// `npm run sim -- --seeds 1 --first SEED`. Ends with 1 when one failed.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    first: { type: 'string', default: '0' },
    failures: { type: 'string', default: '5' },
  },
});
const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'test', 'sim', 'main.ts');
const server = { middlewareMode: true, ws: false, watch: null };
const vite = await createServer({ configFile: false, logLevel: 'error', appType: 'custom', server });
const { runMany } = await vite.ssrLoadModule(main);
const failed = await runMany({
  numSeeds: Number(values.seeds),
  first: Number(values.first),
  mostFailures: Number(values.failures),
});
process.exit(failed.length === 0 ? 0 : 1);
