import { SegmentedControl, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { ReactElement } from "react";
import { Link, useParams } from "react-router";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { Time } from "../ui/time";
import { useParameters } from "../ui/use-parameter";
import { countOf, PagedRows, usePaged } from "./access/paged";
import type { User } from "./access/shapes";
import { UserDetail } from "./access/UserDetail";
import "./access/access.css";
import { Chips } from "./access/Chips";

/** People who have signed in; and one of them, by the address. */
export function Users(): ReactElement {
  const { username } = useParams();
  return username ? <UserDetail key={username} username={username} /> : <UserList />;
}

function UserList(): ReactElement {
  const [parameters, set] = useParameters();
  const text = parameters.get("q") ?? "";
  const [q] = useDebouncedValue(text, 200);
  const disabled = parameters.get("disabled") ?? "";
  const query = new URLSearchParams({ ...(q ? { q } : {}), ...(disabled ? { disabled } : {}) });
  const list = usePaged<User>(`/api/users?${query}`);
  return (
    <>
      <PageHeader title="Users" crumbs="Admin" subtitle="Everybody who has signed in. The identity provider makes accounts; here is what they may." />
      <Panel
        label="Users"
        title={
          <>
            <TextInput className="filter" aria-label="Find somebody" placeholder="User name, name or e-mail" value={text} onChange={(e) => set("q", e.currentTarget.value)} />
            <SegmentedControl
              aria-label="Which"
              data={[
                { value: "", label: "All" },
                { value: "false", label: "Enabled" },
                { value: "true", label: "Disabled" },
              ]}
              value={disabled}
              onChange={(value) => set("disabled", value)}
            />
          </>
        }
        actions={list.data ? <span className="small t3">{countOf(list)}</span> : null}
      >
        <PagedRows list={list}>
          {(rows) => (
            <Table
              label="Users"
              rows={rows}
              rowKey={(u) => u.subject}
              empty={<EmptyState title={q || disabled ? "Nobody matches" : "Nobody has signed in yet"}>{q || disabled ? "Change or clear the filter above." : "Whoever signs in is here from then on."}</EmptyState>}
              columns={[
                {
                  id: "who",
                  label: "Who",
                  value: (u) => u.name,
                  render: (u) => (
                    <span className="person-cell">
                      <Link to={`/admin/users/${encodeURIComponent(u.username)}`}>{u.name}</Link>
                      <span className="small t3">{u.username}</span>
                    </span>
                  ),
                },
                {
                  id: "roles",
                  label: "Roles",
                  value: (u) => u.roles.map((r) => r.role).join(" "),
                  render: (u) => (
                    <Chips names={[...new Set(u.roles.map((r) => r.role))]} />
                  ),
                },
                { id: "groups", label: "Groups", wide: true, value: (u) => u.groups.join(" "), render: (u) => <span className="t2">{u.groups.join(", ")}</span> },
                { id: "seen", label: "Last seen", value: (u) => u.last_seen_at, render: (u) => <Time at={u.last_seen_at} /> },
                { id: "state", label: "State", value: (u) => (u.disabled_at ? "disabled" : "enabled"), render: (u) => <Status state={u.disabled_at ? "disabled" : "active"} label={u.disabled_at ? "Disabled" : "Enabled"} /> },
              ]}
            />
          )}
        </PagedRows>
      </Panel>
    </>
  );
}
