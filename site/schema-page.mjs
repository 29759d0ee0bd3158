/** The page of all keys of a specification, made from its JSON schema. */
import { slugOf } from './slug.mjs';

const beyondLimits = 1e9;

/** Markdown of the page. */
export function schemaPage(schema) {
  const sections = [];
  addSection(schema, 'workflow', sections);
  return `# Keys of a specification

Every key, with what it accepts, from the JSON schema that \`torc workflows schema\` prints. Each may also be null, unless it is
required. [The workflow specification](specification.html) says what they mean, which format texts such as durations and sizes have, and
what the defaults are.

${sections.join('\n')}`;
}

function addSection(schema, title, sections) {
  const at = sections.push('') - 1;
  const rows = Object.entries(schema.properties).map(([key, value]) => {
    const path = title === 'workflow' ? key : `${title}.${key}`;
    const isRequired = schema.required?.includes(key) ? ', required' : '';
    return `| \`${key}\`${isRequired} | ${acceptsOf(value, path, sections)} |`;
  });
  sections[at] = `## ${title}\n\n| key | accepts |\n|---|---|\n${rows.join('\n')}\n`;
}

/** What a key accepts, in words; objects with keys of their own get a section. */
function acceptsOf(schema, path, sections) {
  const among = (schemas) => {
    const words = schemas.filter(({ type }) => type !== 'null').map((each) => acceptsOf(each, path, sections));
    return [...new Set(words)].join(' or ');
  };
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return among(choices);
  if (Array.isArray(schema.type)) return among(schema.type.map((type) => ({ ...schema, type })));
  const allowed = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  if (allowed !== undefined) return allowed.map((value) => `\`${value}\``).join(', ');
  switch (schema.type) {
    case 'string':
      return 'text';
    case 'boolean':
      return '`true`, `false`';
    case 'integer':
    case 'number':
      return `${schema.type === 'integer' ? 'whole number' : 'number'}${rangeOf(schema)}`;
    case 'array':
      return `list of: ${acceptsOf(schema.items ?? {}, `${path}[]`, sections)}`;
    case 'object':
      if (schema.properties === undefined)
        return `names with values: ${acceptsOf(schema.additionalProperties ?? {}, `${path}.NAME`, sections)}`;
      addSection(schema, path, sections);
      return `[${path}](#${slugOf(path)})`;
    default:
      return 'any value';
  }
}

function rangeOf({ minimum, maximum, exclusiveMinimum }) {
  const from =
    exclusiveMinimum === undefined ? (minimum === undefined ? '' : ` from ${minimum}`) : ` above ${exclusiveMinimum}`;
  return maximum === undefined || maximum >= beyondLimits ? from : `${from} to ${maximum}`;
}
