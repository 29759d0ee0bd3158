/** `torc workflows schema`: the format of specifications for editors and programs. */
import type { Context } from '../context/context.ts';

export async function printSchema(context: Context): Promise<void> {
  const { specJsonSchema } = await import('../../model/spec/schema.ts');
  await context.terminal.out(`${JSON.stringify(specJsonSchema(), null, 2)}\n`);
}
