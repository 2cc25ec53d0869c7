// Home's card: what this person ran last, and what the site offers to begin with.
import { EmptyState, Icon, Link, Loaded, Status, Time, useApi } from "@openlakes/ui";
import type { ReactElement } from "react";
import { previewOf } from "./statements";
import { BASE, outcome, type Page, type Query, type SavedQuery } from "./types";

const PAGE = "/x/trino/sql";

export function RecentQueries(): ReactElement {
  const history = useApi<Page<Query>>(`${BASE}/queries?limit=5`, { refresh: 10 });
  return (
    <Loaded query={history} rows={4}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState title="You ran no query yet" action={<Link to={PAGE}>Open the SQL workbench</Link>}>
            What you run is kept here with its result.
          </EmptyState>
        ) : (
          <div className="list">
            {items.map((q) => (
              <Link key={q.id} to={`${PAGE}?query=${q.id}`}>
                <Status state={q.state} label="" />
                <code className="grow sql-clip">{previewOf(q.sql)}</code>
                <span className="small t3 nowrap">{outcome(q)}</span>
                <span className="small t3">
                  <Time at={q.created_at} />
                </span>
              </Link>
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

export function SavedQueries(): ReactElement {
  const saved = useApi<Page<SavedQuery>>(`${BASE}/saved-queries`);
  return (
    <Loaded query={saved} rows={4}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState title="Nothing is saved yet">Save a query in the workbench to find it here.</EmptyState>
        ) : (
          <div className="list">
            {items.slice(0, 6).map((s) => (
              <Link key={s.id} to={`${PAGE}?saved=${s.id}`}>
                <Icon name="sql" />
                <span className="grow">
                  {s.name}
                  {s.description ? <span className="t3 small"> {s.description}</span> : null}
                </span>
              </Link>
            ))}
          </div>
        )
      }
    </Loaded>
  );
}
