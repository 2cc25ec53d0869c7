import type { ReactElement } from "react";
import { Link } from "react-router";
import { useApi } from "../ui/api";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, Loaded } from "../ui/states";
import { Table } from "../ui/table";
import type { Group } from "./access/shapes";
import "./access/access.css";
import { Chips } from "./access/Chips";

/** Groups of the identity provider, as far as they were seen or are bound. */
export function Groups(): ReactElement {
  const query = useApi<{ items: Group[] }>("/api/groups");
  return (
    <>
      <PageHeader title="Groups" crumbs="Admin" subtitle="As the identity provider states them; who is in one is decided there. Bindings give them roles here." />
      <Panel label="Groups">
        <Loaded query={query} rows={6}>
          {({ items }) => (
            <Table
              label="Groups"
              tools={items.length > 0}
              rows={items}
              rowKey={(g) => g.name}
              empty={
                items.length === 0 ? (
                  <EmptyState title="No group yet">
                    A group is here when somebody signs in who is in it, or when a binding names it.
                  </EmptyState>
                ) : undefined
              }
              columns={[
                { id: "name", label: "Group", value: (g) => g.name, render: (g) => <Link to={`/admin/bindings?group=${encodeURIComponent(g.name)}`}>{g.name}</Link> },
                { id: "members", label: "Members seen", numeric: true, value: (g) => g.members },
                {
                  id: "roles",
                  label: "Roles",
                  value: (g) => g.roles.join(" "),
                  render: (g) => (
                    <Chips names={g.roles} />
                  ),
                },
              ]}
            />
          )}
        </Loaded>
      </Panel>
    </>
  );
}
