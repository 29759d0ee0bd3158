// Loaded by a server before anything else: its replies lack the fields that the URL of this module names, such as
// `status:workflows.*.num_lost`, as those of an older torc would.

import { subscribe } from 'node:diagnostics_channel';

const fields = new URL(import.meta.url).searchParams.get('fields').split(',');

subscribe('torc:reply', ({ endpoint, reply }) => {
  for (const [of, path] of fields.map((field) => field.split(':'))) {
    if (of === endpoint) remove(reply, path.split('.'));
  }
});

function remove(value, [name, ...below]) {
  if (typeof value !== 'object' || value === null) return;
  if (below.length === 0) delete value[name];
  else for (const part of name === '*' ? Object.values(value) : [value[name]]) remove(part, below);
}
