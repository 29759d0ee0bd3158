#!/usr/bin/env node
// Runs npm's own node-gyp, telling it where node's headers lie when they lie beside node (PREFIX/bin/node and
// PREFIX/include/node): by itself node-gyp would try to download them, which a compute centre's network may forbid. C++ is compiled with
// object-wrap.h before everything else.
'use strict';
const { spawnSync } = require('node:child_process');
const { existsSync } = require('node:fs');
const { dirname, join } = require('node:path');

const prefix = dirname(dirname(process.execPath));
const env = { ...process.env };
if (!env.npm_config_nodedir && existsSync(join(prefix, 'include', 'node', 'node.h'))) {
  env.npm_config_nodedir = prefix;
}
// see there
env.CXXFLAGS = `${env.CXXFLAGS ?? ''} -include ${join(__dirname, 'object-wrap.h')}`.trim();
const nodeGyp = process.env.npm_config_node_gyp;
if (!nodeGyp) {
  console.error('node-gyp: npm did not say where its node-gyp is (npm_config_node_gyp); run this through npm');
  process.exit(1);
}
const run = spawnSync(process.execPath, [nodeGyp, ...process.argv.slice(2)], { env, stdio: 'inherit' });
process.exit(run.status ?? 1);
