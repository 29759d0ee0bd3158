/** Plans that were shown to an assistant: each has a token, and only with it the plan is carried out, once. */
import { randomBytes } from 'node:crypto';
import type { DashPlan, DashRequest } from '../../api/dash.ts';
import type { Clock } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';

/** How long a person has to read a plan. */
export const planSeconds = 30 * 60;
const mostPlans = 100;

export interface ShownPlan {
  request: DashRequest;
  plan: DashPlan;
}

/** The plans of one connection. */
export class ShownPlans {
  readonly #clock: Clock;
  readonly #plans = new Map<string, ShownPlan & { untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the token. */
  add(shown: ShownPlan): string {
    const token = randomBytes(18).toString('base64url');
    this.#plans.set(token, { ...shown, untilMs: this.#clock.monotonic() + planSeconds * 1000 });
    // in the order in which they were added
    for (const oldest of this.#plans.keys()) {
      if (this.#plans.size <= mostPlans) break;
      this.#plans.delete(oldest);
    }
    return token;
  }

  /** Throws TorcError 'not_found' for a token that no plan has, or that was used, or whose plan is too old. */
  get(token: string): ShownPlan {
    const shown = this.#plans.get(token);
    if (shown !== undefined && this.#clock.monotonic() <= shown.untilMs) return shown;
    this.#plans.delete(token);
    const hint = 'Ask for the plan again with plan_change, show it to the person, and use the token in that answer.';
    throw new TorcError(
      'not_found',
      'no plan has this token, or it was used, or its plan is more than 30 minutes old',
      hint,
    );
  }

  /** It cannot be used again. */
  use(token: string): void {
    this.#plans.delete(token);
  }
}
