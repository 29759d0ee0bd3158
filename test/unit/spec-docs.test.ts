import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/model/spec/problems.ts';
import { specJsonSchema } from '../../src/model/spec/schema.ts';
import { loadWorkflow } from '../support/specification.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/specification.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)( wrong)?\n([\s\S]*?)^```$/gm)].map(([, syntax = '', wrong, text = '']) => {
  return { syntax, isWrong: wrong !== undefined, text };
});
/** The tables that specifications name. */
const table = (name: string) =>
  name.endsWith('.csv') ? (blocks.find(({ syntax }) => syntax === 'csv')?.text ?? '') : '';
/** Every block with jobs is a whole specification, whose first line is a comment that says how many jobs it makes. */
const whole = blocks.filter(({ isWrong, text }) => !isWrong && /^ *(?:jobs:|job ")/m.test(text));

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
}

/** The keys of each object of the format, by its path such as `jobs[].steps[]`. */
function objectsOf({ properties, items, anyOf = [] }: Schema, path: string): [string, string[]][] {
  const inside = Object.entries(properties ?? {}).flatMap(([key, value]) => {
    return objectsOf(value, path === 'workflow' ? key : `${path}.${key}`);
  });
  const elements = items === undefined ? [] : objectsOf(items, `${path}[]`);
  const here: [string, string[]][] = properties === undefined ? [] : [[path, Object.keys(properties)]];
  return [...here, ...inside, ...elements, ...anyOf.flatMap((one) => objectsOf(one, path))];
}

/** The sections whose heading names objects, with the keys in the first cells of the first table. */
const sections = page.split(/^#{2,} /m).flatMap((section) => {
  const [heading = '', ...lines] = section.split('\n');
  const objects = codesOf(heading);
  const start = lines.findIndex((line) => line.startsWith('| key |'));
  if (objects.length === 0 || start < 0) return [];
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return [{ objects, keys: rows.slice(0, end).flatMap((row) => codesOf(row.split('|')[1] ?? '')) }];
});

function codesOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

describe('docs/specification.md', () => {
  it('has complete specifications in three syntaxes, each with as many jobs as it says', () => {
    expect(new Set(whole.map(({ syntax }) => syntax))).toEqual(new Set(['yaml', 'json5', 'kdl']));
    for (const { syntax, text } of whole) {
      const said = /^(?:#|\/\/) .*?(\d+) jobs?$/.exec(text.split('\n')[0] ?? '')?.[1];
      expect(String(loadWorkflow(text, { file: `page.${syntax}`, readText: table }).workflow.numJobs), text).toBe(said);
    }
  });

  it('shows the message that its wrong specification gets', () => {
    const at = blocks.findIndex(({ isWrong }) => isWrong);
    const read = () => loadWorkflow(blocks[at]?.text ?? '', { file: 'study.yaml' });
    expect(read).toThrow(SpecError);
    expect(read).toThrow(blocks[at + 1]?.text.trimEnd());
  });

  it('has a table for each object of the format, of exactly its keys', () => {
    const objects = new Map(objectsOf(specJsonSchema() as Schema, 'workflow'));
    expect(sections.flatMap((section) => section.objects).sort()).toEqual([...objects.keys()].sort());
    for (const section of sections) {
      const keys = new Set(section.objects.flatMap((object) => objects.get(object) ?? []));
      expect([...section.keys].sort(), section.objects.join()).toEqual([...keys].sort());
    }
  });
});
