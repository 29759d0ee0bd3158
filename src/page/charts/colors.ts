/** The colors of the page for what draws on a canvas, which does not know variables of a style sheet. */
import { useEffect, useState } from 'preact/hooks';

const names = [
  'text',
  'faint',
  'line',
  'raised',
  'link',
  'active',
  'fill-good',
  'fill-bad',
  'fill-warn',
  'fill-running',
  'fill-lost',
  'chart-had',
  'chart-given',
  'chart-used',
  'chart-waits',
] as const;
export type Colors = Readonly<Record<(typeof names)[number], string>>;

function readColors(): Colors {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colors = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(colors) as Colors;
}

/** Others after the reader has chosen dark or light, here or in the system. */
export function useColors(): Colors {
  const [colors, setColors] = useState(readColors);
  useEffect(() => {
    const look = (): void => setColors(readColors());
    const observer = new MutationObserver(look);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', look);
    look();
    return () => {
      observer.disconnect();
      system.removeEventListener('change', look);
    };
  }, []);
  return colors;
}
