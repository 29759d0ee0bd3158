/** Which units of each named resource a running job has: numbers from 0, as few of the node's as there are in use. */
import type { Amounts } from '../model/named-resources.ts';

/** Of more, a job gets no numbers: they are an amount, such as gigabytes of a disk. */
export const mostUnits = 1024;

/** The server never gives out more than the node has, so that the lowest free numbers are below that. */
export class NamedUnits {
  readonly #used = new Map<string, Set<number>>();

  /** In ascending order by name. */
  take(amounts: Amounts): Record<string, number[]> {
    const taken: Record<string, number[]> = {};
    for (const [name, amount] of Object.entries(amounts)) {
      if (amount > mostUnits) continue;
      const used = this.#used.get(name) ?? new Set<number>();
      this.#used.set(name, used);
      const units: number[] = [];
      for (let unit = 0; units.length < amount; unit += 1) if (!used.has(unit)) units.push(unit);
      for (const unit of units) used.add(unit);
      taken[name] = units;
    }
    return taken;
  }

  /** The job that had them is over. */
  give(units: Readonly<Record<string, readonly number[]>>): void {
    for (const [name, numbers] of Object.entries(units)) {
      for (const unit of numbers) this.#used.get(name)?.delete(unit);
    }
  }
}
