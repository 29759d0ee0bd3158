/** Failure handlers: their rules, and how long a next attempt waits. */
import { parseDuration } from '../../base/units.ts';
import type { ExpandedFailureHandler } from '../expanded.ts';
import { defaultMaxDelayMs, type FailureRule, type RetryCause } from '../retry.ts';
import { causeOfField, type Scale, scaledFields } from '../scale.ts';
import type { Findings } from '../spec/problems.ts';
import { scaleOf } from '../spec/scale-spec.ts';
import type { FailureHandlerSpec } from '../spec/spec.ts';
import { specDefaults } from './defaults.ts';

export function expandFailureHandlers(
  specs: readonly FailureHandlerSpec[],
  findings: Findings,
): ExpandedFailureHandler[] {
  return specs.map(({ name, rules }, i) => ({
    name,
    rules: rules.map((rule, k) => {
      const path = ['failure_handlers', i, 'rules', k];
      const exitCodes = rule.exit_codes ?? [];
      const scale =
        rule.scale == null
          ? null
          : scaleOf(rule.scale, (key, message) => findings.add([...path, 'scale', ...key], () => message));
      const isOpen = exitCodes.length === 0 && rule.causes == null && rule.match_all_exit_codes !== true;
      // what grows says after which failures
      const causes = isOpen && scale !== null ? causesOf(scale) : (rule.causes ?? []);
      if (exitCodes.length + causes.length === 0 && rule.match_all_exit_codes !== true) {
        const message = 'a rule needs exit_codes, causes, match_all_exit_codes: true or scale';
        findings.add(path, () => message);
      }
      return {
        exitCodes,
        matchAllExitCodes: rule.match_all_exit_codes ?? false,
        causes,
        recoveryScript: rule.recovery_script ?? null,
        maxRetries: rule.max_retries ?? specDefaults.maxRetries,
        ...retryDelay(rule, (key, message) => findings.add([...path, key], () => message)),
        ...(scale === null ? {} : { scale }),
      };
    }),
  }));
}

function causesOf(scale: Scale): RetryCause[] {
  return scaledFields.filter((field) => scale[field] !== undefined).map((field) => causeOfField[field]);
}

type RetryDelay = Pick<FailureRule, 'retryDelayMs' | 'retryBackoff' | 'retryMaxDelayMs'>;
type DelaySpec = Pick<FailureHandlerSpec['rules'][number], 'retry_delay' | 'retry_backoff' | 'retry_max_delay'>;

/** How long the next attempt of a rule waits. */
export function retryDelay(rule: DelaySpec, refuse: (key: keyof DelaySpec, message: string) => void): RetryDelay {
  const milliseconds = (duration: string) => Math.round(parseDuration(duration) * 1000);
  const retryDelayMs = rule.retry_delay ? milliseconds(rule.retry_delay) : 0;
  const longestMs = rule.retry_max_delay ? milliseconds(rule.retry_max_delay) : null;
  for (const key of ['retry_backoff', 'retry_max_delay'] as const) {
    if (rule[key] != null && retryDelayMs === 0) refuse(key, 'needs a retry_delay above 0');
  }
  if (longestMs !== null && longestMs < retryDelayMs) refuse('retry_max_delay', 'is shorter than retry_delay');
  return {
    retryDelayMs,
    retryBackoff: rule.retry_backoff ?? 1,
    retryMaxDelayMs: longestMs ?? defaultMaxDelayMs(retryDelayMs),
  };
}
