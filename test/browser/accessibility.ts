/** What axe-core finds in a page that keeps somebody out who reads, hears or types it in another way. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  id: string;
  impact: string | null;
  nodes: { target: unknown; failureSummary?: string }[];
}

/** The serious and critical violations in a page or a part of it, each with the first places where it is. */
export async function obstaclesIn(page: Page, part = 'html'): Promise<string[]> {
  // not as an element: the dashboard's policy allows no other script
  await page.evaluate(source);
  const violations = await page.evaluate<Violation[]>(
    `axe.run('${part}', { resultTypes: ['violations'], preload: false }).then(({ violations }) =>
      violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3) })))`,
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
    );
}
