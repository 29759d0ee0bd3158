/** The format as JSON Schema, for editors and other programs. It cannot express rules that span several places. */
import { z } from 'zod';
import { workflowSpec } from './spec.ts';

/** Draft 2020-12, for what people write: everything with a default may be left out. */
export function specJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(workflowSpec, { io: 'input' });
  const description = 'Jobs with their files, data, resources and dependencies, as torc workflows create reads them';
  return { $schema, title: 'torc workflow specification', description, ...schema };
}
