/** Columns of text tables: in a pipe stable and in UTC, on a terminal short and in local time. */
import type { ListRecord } from '../../api/contract.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Attributes } from '../../model/expanded.ts';
import type { Context } from '../context/context.ts';
import { isInstant, localInstant, withLocalInstants } from './local-time.ts';
import { cellText, factLines, type TextColumn } from './table.ts';

export const attributePrefix = 'attribute.';

/** The value of a column, which may be one attribute: `attribute.release_id`. */
export function cellOf(record: ListRecord, column: string): unknown {
  if (!column.startsWith(attributePrefix)) return record[column];
  return (record.attributes as Attributes | null | undefined)?.[column.slice(attributePrefix.length)] ?? null;
}

const bytes = '_bytes';
const seconds = '_seconds';
const instant = '_at';
const count = 'num_';

/** The columns that a heading may mean, the one with exactly this name first. */
export function namesOfHeading(heading: string): string[] {
  return [heading, `${heading}${bytes}`, `${heading}${seconds}`, `${heading}${instant}`, `${count}${heading}`];
}

/** The heading of a column: what can be typed for it, as short as no other column of the record is meant. */
function headingOf(name: string, isTerminal: boolean, record: ListRecord | undefined): string {
  const short = shortened(name, isTerminal);
  const meant = record === undefined ? name : namesOfHeading(short).find((each) => each in record);
  return (meant ?? name) === name ? short : name;
}

function shortened(name: string, isTerminal: boolean): string {
  if (name.endsWith(bytes)) return name.slice(0, -bytes.length);
  if (!isTerminal) return name;
  if (name.startsWith(count)) return name.slice(count.length);
  const unit = [seconds, instant].find((each) => name.endsWith(each)) ?? '';
  return unit === '' ? name : name.slice(0, -unit.length);
}

/**
 * Makes columns for records like those of the sample. Sizes have a unit, instants no milliseconds, everything else is as
 * in JSON; on a terminal durations have units too, instants are local, and keys stand at the right like other numbers.
 */
export function textColumn(context: Context, sample: readonly ListRecord[]): (name: string) => TextColumn {
  const isTerminal = context.terminal.isStdoutTerminal;
  const now = context.clock.now();
  return (name) => {
    const values = sample.map((record) => cellOf(record, name));
    return {
      header: headingOf(name, isTerminal, sample[0]),
      cell: (record) => readable(name, cellOf(record, name), isTerminal ? now : null),
      isNumeric: values.length > 0 && values.every((value) => isNumber(value, isTerminal)),
      isText: values.every((value) => value === null || typeof value === 'object' || isLongText(value)),
    };
  };
}

/** Numbers, and on a terminal keys. */
function isNumber(value: unknown, isTerminal: boolean): boolean {
  return (
    value === null || typeof value === 'number' || (isTerminal && typeof value === 'string' && /^\d+$/.test(value))
  );
}

function isLongText(value: unknown): boolean {
  return typeof value === 'string' && !isInstant(value) && !/^\d+$/.test(value);
}

/** `now` is null where the reader is a program. */
function readable(name: string, value: unknown, now: number | null): string {
  if (typeof value === 'number' && name.endsWith(bytes)) return formatMemory(value);
  return cellText(now === null ? value : forPerson(name, value, now));
}

function forPerson(name: string, value: unknown, now: number): unknown {
  if (typeof value === 'number' && name.endsWith(seconds)) return formatDuration(value);
  return isInstant(value) ? localInstant(value, now) : value;
}

/** An instant as it is, and on a terminal in local time. */
export function instantText({ terminal, clock }: Context, iso: string): string {
  return cellText(terminal.isStdoutTerminal ? localInstant(iso, clock.now()) : iso);
}

/** A sentence as it is, and on a terminal with its instants in local time. */
export function sentenceText({ terminal, clock }: Context, text: string): string {
  return cellText(terminal.isStdoutTerminal ? withLocalInstants(text, clock.now()) : text);
}

/** The fields of a record as lines; on a terminal those that have a value, named and written as in tables. */
export function fieldLines(
  { terminal, clock }: Context,
  fields: readonly (readonly [name: string, value: unknown])[],
): string {
  if (!terminal.isStdoutTerminal) return factLines(fields);
  const now = clock.now();
  return factLines(
    fields
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [shortened(name, true), forPerson(name, value, now)]),
  );
}
