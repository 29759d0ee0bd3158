/** What one job refers to, which is little for most jobs. */
import { References } from './data-flow.ts';
import type { ReferenceList } from './elements.ts';
import type { Direction } from './variables.ts';

type Target = ReferenceList['to'];

const nothing = new References();

export class Uses {
  readonly #input: Partial<Record<Target, References>> = {};
  readonly #output: Partial<Record<Target, References>> = {};

  add(to: Target, direction: Direction, found: number | readonly number[]): void {
    const uses = direction === 'input' ? this.#input : this.#output;
    uses[to] ??= new References();
    uses[to].add(found);
  }

  of(to: Target, direction: Direction): References {
    return (direction === 'input' ? this.#input : this.#output)[to] ?? nothing;
  }
}
