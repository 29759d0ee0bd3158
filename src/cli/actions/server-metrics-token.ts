/** `torc server metrics-token`: the file from which Prometheus takes its token, and what to write into its configuration. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readServerFile } from '../../api/server-file.ts';
import { TorcError } from '../../base/errors.ts';
import { metricsTokenPath } from '../../base/paths.ts';
import { readPrivateFile, refuseSharedFolder, replacePrivateFile } from '../../base/trusted/private.ts';
import { newToken } from '../../server/http/tokens.ts';
import { type Context, note } from '../context/context.ts';
import { printResult } from '../output/output.ts';

/** Makes the token where there is none, or with `replaces` a new one. Throws TorcError 'not_found' without a database. */
export async function makeMetricsToken(context: Context, replaces: boolean): Promise<void> {
  const { directory, torc } = context;
  if (!existsSync(join(directory, 'torc.db'))) {
    throw new TorcError('not_found', `there is no torc database in ${directory}`, `${torc} server start --daemon`);
  }
  refuseSharedFolder(directory);
  const path = metricsTokenPath(directory);
  const known = readPrivateFile(path);
  // the disk was full when an empty one was made
  const isKept = known !== null && known.trim() !== '' && !replaces;
  // another command may make one at the same time: the file then holds one of the two, and the server reads it each time
  if (!isKept) replacePrivateFile(path, `${newToken()}\n`);
  const address = readServerFile(directory)?.addresses[0] ?? null;
  await printResult(context, { path, created: !isKept, address }, () => {
    const done = isKept ? 'the token already exists' : 'created a token';
    return `${done}: ${path}\n\n${configuration(path, address)}`;
  });
  if (address === null) note(context, `no server runs; with a fixed port: ${torc} server start --daemon --port 7777`);
}

function configuration(path: string, address: string | null): string {
  return `For prometheus.yml (docs/monitoring.md):

  - job_name: torc
    scheme: https
    authorization:
      credentials_file: ${path}
    tls_config:
      insecure_skip_verify: true   # or ca_file with the certificate in server.json
    static_configs:
      - targets: ['${address ?? 'HOST:PORT'}']
`;
}
