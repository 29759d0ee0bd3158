// Where the processor time of a server goes, from the profile that node writes of it with `--cpu-prof`.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { figure } from './report.mjs';

/** What node is started with, so that it writes a profile into the folder when it ends. */
export function profiling(folder) {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=250'];
}

/** Microseconds on the clock of profiles. */
export function profileClock() {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Shown by themselves from this share on. */
const leastShare = 0.005;

/**
 * The profile in the folder as Markdown: from `begin` to `end`, in which the server needed `cpuMicroseconds` for each job.
 * Each sample counts the same, however late it is on a busy machine.
 */
export function profileTable(folder, { begin, end }, cpuMicroseconds) {
  const name = readdirSync(folder).find((file) => file.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error(`the server has written no profile into ${folder}`);
  const parts = partsOf(JSON.parse(readFileSync(join(folder, name), 'utf8')), begin, end);
  const total = [...parts.values()].reduce((sum, { count }) => sum + count, 0);
  const lines = ['| part | us/job | % |', '|---|---|---|'];
  const line = (words, count) => {
    const share = count / total;
    lines.push(`| ${words} | ${figure(share * cpuMicroseconds)} | ${(100 * share).toFixed(1)} |`);
  };
  line('everything', total);
  for (const [part, { count, by }] of largestFirst(parts, ([, of]) => of.count)) {
    line(part, count);
    const details = largestFirst(by, ([, of]) => of).filter(([, of]) => of >= total * leastShare);
    if (by.size > 1) for (const [detail, of] of details) line(`.. ${detail}`, of);
  }
  return `${lines.join('\n')}\n`;
}

function largestFirst(entries, sizeOf) {
  return [...entries].sort((a, b) => sizeOf(b) - sizeOf(a));
}

function partsOf({ nodes, samples, timeDeltas, startTime }, begin, end) {
  const places = new Map();
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, { ...callFrame, above: null }]));
  for (const { id, children = [] } of nodes) for (const child of children) frames.get(child).above = frames.get(id);
  const parts = new Map();
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    at += timeDeltas[index];
    if (at < begin || at > end) continue;
    let place = places.get(id);
    if (place === undefined) {
      place = placeOf(frames.get(id));
      places.set(id, place);
    }
    const [part, detail] = place;
    if (part === 'idle') continue;
    const known = parts.get(part) ?? { count: 0, by: new Map() };
    parts.set(part, known);
    known.count += 1;
    known.by.set(detail, (known.by.get(detail) ?? 0) + 1);
  }
  return parts;
}

/** The part that a frame belongs to, and the detail. */
function placeOf(frame) {
  const { functionName, url, above } = frame;
  if (functionName === '(idle)') return ['idle', ''];
  if (functionName === '(garbage collector)') return ['garbage collection', ''];
  if (functionName === '(program)' || above === null) return ['node outside of JavaScript: sockets, TLS', ''];
  const module = moduleOf(frame);
  if (module.startsWith('node:')) return ['node: HTTPS, streams, timers', module.split('/')[0]];
  if (url === '' || module.startsWith('node_modules/')) {
    // native code, and that of packages, belongs to its caller
    if (module === '' && ['parse', 'stringify'].includes(functionName)) return ['JSON', functionName];
    if (module.startsWith('node_modules/zod/')) return ['checking requests', ''];
    return placeOf(above);
  }
  return module === 'storage/database/database' ? ['SQLite', callerOf(frame)] : ['torc', module];
}

/** The function that has asked the database. */
function callerOf(frame) {
  let caller = frame;
  while (moduleOf(caller) === 'storage/database/database' && caller.above !== null) caller = caller.above;
  return `${caller.functionName || 'a function'} of ${moduleOf(caller)}`;
}

const regions = new Map();

/** The module of a frame: of the bundle, the source that stands there. */
function moduleOf({ url, lineNumber }) {
  if (!url.startsWith('file:')) return url;
  let ofFile = regions.get(url);
  if (ofFile === undefined) {
    ofFile = [];
    for (const [line, text] of readFileSync(fileURLToPath(url), 'utf8').split('\n').entries()) {
      const begin = /^\/\/ (?:\S*(?=node_modules\/))?(\S+)\.js$/.exec(text);
      if (begin !== null) ofFile.push({ line, module: begin[1] });
    }
    regions.set(url, ofFile);
  }
  return ofFile.findLast(({ line }) => line <= lineNumber)?.module ?? url;
}
