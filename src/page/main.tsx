/** The page of `torc dash`: what its address says, and what every view has around it. */
import { type RefObject, render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { GraphPage } from './pages/graph.tsx';
import { JobPage } from './pages/job.tsx';
import { ListPage } from './pages/list.tsx';
import { TimePage } from './pages/time.tsx';
import { WorkflowPage } from './pages/workflow.tsx';
import { WorkflowsPage } from './pages/workflows.tsx';
import { Empty } from './parts.tsx';
import { parseRoute, type Route } from './route.ts';

const themes = ['auto', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const keys: readonly (readonly [key: string, does: string])[] = [
  ['/', 'filter'],
  ['j k ↓ ↑', 'next and previous row'],
  ['Enter', 'open the row'],
  ['Home End', 'first and last row'],
  ['+ - 0', 'graph: larger, smaller, all of it'],
  ['← ↑ ↓ →', 'graph: move'],
  ['← → + - 0', 'charts: earlier, later, zoom in and out, whole time'],
  ['g w', 'all workflows'],
  ['?', 'these keys'],
  ['Esc', 'leave the filter, close this'],
];

function App() {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const look = (): void => setHash(location.hash);
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  const help = useRef<HTMLDialogElement>(null);
  useKeys(help);
  const route = parseRoute(hash);
  useEffect(() => {
    document.title = titleOf(route);
  });
  return (
    <>
      <header class="top">
        <a class="brand" href="#/">
          torc
        </a>
        <a href="#/" aria-current={route.page === 'workflows' ? 'page' : undefined}>
          Workflows
        </a>
        <span class="space" />
        <ThemeSwitch />
        <button type="button" onClick={() => help.current?.showModal()} aria-label="keys">
          ?
        </button>
      </header>
      <View route={route} />
      <dialog ref={help} aria-label="keys">
        <h2>Keys</h2>
        <table class="plain">
          <tbody>
            {keys.map(([key, does]) => (
              <tr key={key}>
                <td>
                  <kbd>{key}</kbd>
                </td>
                <td>{does}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <form method="dialog">
          <button type="submit">close</button> <a href="licences.txt">licences</a>
        </form>
      </dialog>
    </>
  );
}

function View({ route }: { route: Route }) {
  switch (route.page) {
    case 'workflows':
      return <WorkflowsPage />;
    case 'workflow':
      return <WorkflowPage key={route.key} workflowKey={route.key} />;
    case 'graph':
      return <GraphPage key={route.key} workflowKey={route.key} open={route.open} />;
    case 'list':
      return (
        <ListPage key={`${route.key} ${route.list}`} workflowKey={route.key} list={route.list} query={route.query} />
      );
    case 'time':
      return <TimePage key={`${route.key} ${route.view}`} route={route} />;
    case 'job':
      return <JobPage key={route.key} jobKey={route.key} attempt={route.attempt} />;
    default:
      return (
        <main>
          <Empty>
            There is no such page. <a href="#/">All workflows</a>
          </Empty>
        </main>
      );
  }
}

function titleOf(route: Route): string {
  switch (route.page) {
    case 'workflow':
      return `workflow ${route.key} · torc`;
    case 'graph':
      return `graph of workflow ${route.key} · torc`;
    case 'list':
      return `${route.list.replace('_', ' ')} of workflow ${route.key} · torc`;
    case 'time':
      return `${route.view} of workflow ${route.key} · torc`;
    case 'job':
      return `job ${route.key} · torc`;
    default:
      return 'torc';
  }
}

/** Keys that mean the same everywhere. */
function useKeys(help: RefObject<HTMLDialogElement | null>): void {
  useEffect(() => {
    let isAfterG = false;
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target, key } = event;
      if (target instanceof HTMLElement && target.closest('input, select, textarea') !== null) {
        if (key === 'Escape') target.blur();
        return;
      }
      if (key === '/') document.querySelector<HTMLInputElement>('input.filter')?.focus();
      else if (key === '?') help.current?.showModal();
      else if (isAfterG && key === 'w') location.hash = '#/';
      else {
        isAfterG = key === 'g';
        return;
      }
      isAfterG = false;
      event.preventDefault();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [help]);
}

function ThemeSwitch() {
  const [theme, setTheme] = useState<Theme>(
    () => themes.find((each) => each === localStorage.getItem('theme')) ?? 'auto',
  );
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem('theme', theme);
  }, [theme]);
  return (
    <label class="theme">
      <span class="faint">colors</span>
      <select value={theme} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
        {themes.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}

const place = document.getElementById('app');
if (place !== null) {
  place.textContent = '';
  render(<App />, place);
}
