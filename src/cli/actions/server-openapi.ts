/** `torc server openapi`: the HTTP interface for programs in other languages. */
import { version } from '../../base/version.ts';
import type { Context } from '../context/context.ts';

export async function printOpenApi(context: Context): Promise<void> {
  const { openApiDocument } = await import('../../api/openapi.ts');
  await context.terminal.out(`${JSON.stringify(openApiDocument(version()), null, 2)}\n`);
}
