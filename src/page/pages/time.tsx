/** The pages about when things ran and what they used. */
import type { Route } from '../route.ts';
import { NodesPage } from './nodes.tsx';
import { ResourcesPage } from './resources.tsx';
import { TimelinePage } from './timeline.tsx';
import { UtilizationPage } from './utilization.tsx';

export function TimePage({ route: { key, view, query } }: { route: Extract<Route, { page: 'time' }> }) {
  switch (view) {
    case 'timeline':
      return <TimelinePage workflowKey={key} query={query} />;
    case 'utilization':
      return <UtilizationPage workflowKey={key} query={query} />;
    case 'resources':
      return <ResourcesPage workflowKey={key} />;
    case 'nodes':
      return <NodesPage workflowKey={key} />;
  }
}
