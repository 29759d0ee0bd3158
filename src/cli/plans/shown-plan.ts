/** Whether a plan that a person has seen as a text is still the plan. */
import { createHash } from 'node:crypto';

/** Said above the new plan where it is not. */
export const changedSince = 'Something has changed since. Nothing was done; this is the plan now:';

/** What a plan says, without how long ago things happened. */
export function stateOfText(text: string): string {
  const lasting = text.replace(/\d+(\.\d+)? ?(s|m|h|d)\b/g, '#');
  return createHash('sha256').update(lasting).digest('hex');
}
