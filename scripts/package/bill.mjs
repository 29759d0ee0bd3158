// What is in the package besides torc's own code: a bill of materials in CycloneDX JSON, and the licences as texts.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { nodeVersion, PackagingError, run } from './native.mjs';

/**
 * npm's bill of what is installed here, cut down to the packages in these folders, with node, SQLite and the libraries that
 * are compiled in.
 */
export function billOfMaterials(root, folders, arch, date) {
  const bill = JSON.parse(run('npm', ['sbom', '--sbom-format', 'cyclonedx'], { cwd: root }));
  const components = folders.map((folder) => {
    const { name, version } = described(root, folder);
    const found = bill.components.find((component) => component['bom-ref'] === `${name}@${version}`);
    if (found === undefined) throw new PackagingError(`npm sbom does not know ${name} ${version}: npm ci`);
    return { ...found, scope: 'required' };
  });
  const header = readFileSync(join(root, 'node_modules', 'better-sqlite3', 'deps', 'sqlite3', 'sqlite3.h'), 'utf8');
  const [, sqlite] = /^#define SQLITE_VERSION\s+"([\d.]+)"/m.exec(header);
  const others = [
    compiled('node', nodeVersion, `pkg:npm/node-linux-${arch}@${nodeVersion}`, 'MIT'),
    compiled('sqlite', sqlite, `pkg:generic/sqlite@${sqlite}`, 'blessing'),
    compiled('musl', undefined, 'pkg:generic/musl', 'MIT'),
    compiled('libc++', undefined, 'pkg:generic/libc%2B%2B', 'Apache-2.0 WITH LLVM-exception'),
  ];
  const all = [...components, ...others];
  const kept = new Set([...all.map((component) => component['bom-ref']), bill.metadata.component['bom-ref']]);
  const dependencies = bill.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));
  // without the random number and the time of day, the same sources give the same file
  const { serialNumber: _random, ...rest } = bill;
  const component = { ...bill.metadata.component, name: 'torc', type: 'application' };
  const metadata = { ...bill.metadata, timestamp: date.toISOString(), component };
  return `${JSON.stringify({ ...rest, metadata, components: all, dependencies }, null, 2)}\n`;
}

function compiled(name, version, purl, expression) {
  return { 'bom-ref': purl, type: 'library', name, version, purl, licenses: [{ expression }] };
}

function described(root, folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
}

/** Every licence text, each below the name and version of what it is for. */
export function licenceTexts(root, folders, node, zig) {
  const zigFiles = join(dirname(zig), 'lib');
  const parts = folders.map((folder) => {
    const { name, version, license } = described(root, folder);
    const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    const all = files.sort().map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
    return [
      `${name} ${version} (${license})`,
      all.join('\n\n') || `Its package has no text of the licence ${license}.`,
    ];
  });
  parts.push(
    [`node ${nodeVersion}, and what it contains`, readFileSync(join(node, 'LICENSE'), 'utf8').trim()],
    ['SQLite, in better-sqlite3', 'The author disclaims copyright to this source code.'],
    [
      'musl, in torc-start-jobs, torc-run-step and torc-see-lock',
      readFileSync(join(zigFiles, 'libc', 'musl', 'COPYRIGHT'), 'utf8').trim(),
    ],
    ['libc++, in better-sqlite3', readFileSync(join(zigFiles, 'libcxx', 'LICENSE.TXT'), 'utf8').trim()],
  );
  const line = '='.repeat(100);
  return parts.map(([title, text]) => `${line}\n${title}\n${line}\n\n${text}\n`).join('\n');
}
