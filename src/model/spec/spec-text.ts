/** A specification as a text of each syntax, with comments before it where the syntax has comments. */
import JSON5 from 'json5';
import { stringify } from 'yaml';
import { kdlText } from './kdl-text.ts';
import type { SpecSyntax } from './source.ts';
import type { WorkflowSpec } from './spec.ts';

/** Each comment is one line. */
export function specText(spec: WorkflowSpec, syntax: SpecSyntax, comments: readonly string[]): string {
  const commented = (mark: string): string => comments.map((line) => `${mark} ${line}`.trimEnd().concat('\n')).join('');
  switch (syntax) {
    case 'yaml':
      return `${commented('#')}${stringify(spec, { lineWidth: 0, aliasDuplicateObjects: false })}`;
    case 'json':
      return `${JSON.stringify(spec, null, 2)}\n`;
    case 'json5':
      return `${commented('//')}${JSON5.stringify(spec, null, 2)}\n`;
    case 'kdl':
      return `${commented('//')}${kdlText(spec)}`;
  }
}
