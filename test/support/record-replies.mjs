// Loaded by the built program before anything else: writes each reply of its service to a file of this process, in the
// directory that the URL of this module names.

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

const file = join(new URL(import.meta.url).searchParams.get('into'), String(process.pid));

subscribe('torc:reply', (told) => {
  try {
    appendFileSync(file, `${JSON.stringify(told)}\n`);
  } catch {
    // the tests are over, and their directory is gone
  }
});
