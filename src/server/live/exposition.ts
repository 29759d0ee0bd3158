/** Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 for those who ask for it. */

export interface Metric {
  /** Without the suffix of counters. */
  name: string;
  type: 'gauge' | 'counter' | 'summary' | 'histogram';
  help: string;
  samples: readonly Sample[];
}

export interface Sample {
  labels?: Readonly<Record<string, string>>;
  /** Of a summary or a histogram. */
  suffix?: '_sum' | '_count' | '_bucket';
  value: number;
}

export type Exposition = 'prometheus' | 'openmetrics';

export const contentTypes: Readonly<Record<Exposition, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** What the header Accept of a request asks for. */
export function expositionFor(accept: string | undefined): Exposition {
  return accept?.includes('application/openmetrics-text') === true ? 'openmetrics' : 'prometheus';
}

export function exposed(metrics: readonly Metric[], how: Exposition): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of metrics) {
    const counted = type === 'counter' ? `${name}_total` : name;
    const family = how === 'openmetrics' ? name : counted;
    lines.push(`# HELP ${family} ${escaped(help)}`, `# TYPE ${family} ${type}`);
    for (const { labels = {}, suffix = '', value } of samples) {
      const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text).replaceAll('"', '\\"')}"`);
      lines.push(`${counted}${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
    }
  }
  if (how === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
