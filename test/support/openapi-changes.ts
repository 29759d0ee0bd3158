/** What breaks clients between two OpenAPI documents of torc. */

export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  additionalProperties?: boolean | Schema;
  $ref?: string;
}

export interface OpenApi {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, Schema> };
}

/** Each change, with its place, that a client of the older document would notice. */
export function breakingChanges(older: OpenApi, newer: OpenApi): string[] {
  const gone = Object.keys(older.paths).filter((path) => newer.paths[path] === undefined);
  const changed = Object.entries(older.components.schemas).flatMap(([name, before]) => {
    const now = newer.components.schemas[name];
    if (now === undefined) return [`${name} is gone`];
    // a client sends requests and reads everything else
    return name.endsWith('_request') ? narrowed(before, now, name) : narrowed(now, before, name);
  });
  return [...gone.map((path) => `${path} is gone`), ...changed];
}

/** Why a value of the schema `from` may be no value of the schema `to`; fields that `to` does not name are ignored by readers. */
function narrowed(from: Schema, to: Schema, place: string): string[] {
  if (from.$ref !== to.$ref) return [`${place} is another reference`];
  const [alternatives, allowed] = [alternativesOf(from), alternativesOf(to)];
  if (alternatives.length > 1 || allowed.length > 1) {
    return alternatives.flatMap((one) => {
      const reasons = allowed.map((other) => narrowed(one, other, place));
      return reasons.some((list) => list.length === 0) ? [] : (reasons[0] ?? []);
    });
  }
  const types = typesOf(to);
  const lost = types.length === 0 ? [] : typesOf(from).filter((type) => !covers(types, type));
  if (lost.length > 0) return [`${place} may be ${lost.join(' or ')}`];
  if (to.enum !== undefined || to.const !== undefined) {
    const values = valuesOf(to);
    const others = valuesOf(from).filter((value) => !values.includes(value));
    if (valuesOf(from).length === 0 || others.length > 0) return [`${place} may be ${JSON.stringify(others)}`];
  }
  const missing = (to.required ?? []).filter((name) => !(from.required ?? []).includes(name));
  const unknown =
    to.additionalProperties === false
      ? Object.keys(from.properties ?? {}).filter((name) => to.properties?.[name] === undefined)
      : [];
  const inside = Object.entries(from.properties ?? {}).flatMap(([name, one]) => {
    const other = to.properties?.[name];
    return other === undefined ? [] : narrowed(one, other, `${place}.${name}`);
  });
  const items = from.items !== undefined && to.items !== undefined ? narrowed(from.items, to.items, `${place}[]`) : [];
  return [
    ...missing.map((name) => `${place}.${name} may be missing`),
    ...unknown.map((name) => `${place}.${name} is not known`),
    ...inside,
    ...items,
  ];
}

function alternativesOf(schema: Schema): Schema[] {
  return schema.anyOf ?? schema.oneOf ?? [schema];
}

function typesOf({ type }: Schema): string[] {
  return type === undefined ? [] : [type].flat();
}

function covers(types: readonly string[], type: string): boolean {
  return types.includes(type) || (type === 'integer' && types.includes('number'));
}

function valuesOf(schema: Schema): unknown[] {
  return schema.const === undefined ? (schema.enum ?? []) : [schema.const];
}
