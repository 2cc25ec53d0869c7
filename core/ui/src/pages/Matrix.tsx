import { SegmentedControl, Select } from "@mantine/core";
import type { ReactElement } from "react";
import { Link, useSearchParams } from "react-router";
import { useApi } from "../ui/api";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, Loaded } from "../ui/states";
import { countOf, PagedRows, usePaged } from "./access/paged";
import type { MatrixPerson, Permission } from "./access/shapes";
import { explainPath, heldWords } from "./access/words";
import "./access/access.css";

/** Who can do what: everybody, and service accounts, against the permissions of one plugin. */
export function Matrix(): ReactElement {
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  return (
    <>
      <PageHeader title="Who can do what" crumbs="Govern" subtitle="By the bindings in force now. A filled mark is for everything, half a mark for some resources only. A mark leads to why." />
      <Loaded query={known} rows={8} framed>
        {({ items }) => <People permissions={items} />}
      </Loaded>
    </>
  );
}

function People({ permissions }: { permissions: Permission[] }): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const plugins = [...new Set(permissions.map((p) => p.plugin))];
  const wanted = permissions.find((p) => p.name === parameters.get("permission"));
  const plugin = wanted?.plugin ?? plugins.find((p) => p === parameters.get("plugin")) ?? plugins[0] ?? "";
  const list = usePaged<MatrixPerson>(`/api/access/matrix${wanted ? `?permission=${encodeURIComponent(wanted.name)}` : ""}`);
  const columns = permissions.filter((p) => p.plugin === plugin);
  return (
    <Panel
      label="Who can do what"
      title={
        <div className="filters">
          <SegmentedControl aria-label="Permissions of" data={plugins} value={plugin} onChange={(value) => setParameters({ plugin: value }, { replace: true })} />
          <Select
            aria-label="Only who holds"
            placeholder="Everybody, whatever they hold"
            searchable
            clearable
            data={permissions.map((p) => p.name)}
            value={wanted?.name ?? null}
            onChange={(value) => setParameters(value ? { permission: value } : { plugin }, { replace: true })}
          />
        </div>
      }
      actions={list.data ? <span className="small t3">{countOf(list)}</span> : null}
    >
      <PagedRows list={list}>
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title={wanted ? `Nobody holds ${wanted.name}` : "Nobody is known yet"}>
              {wanted ? <Link to={`/admin/bindings?role=${encodeURIComponent(wanted.name)}`}>Bindings of it</Link> : "Whoever signs in is here from then on."}
            </EmptyState>
          ) : (
            <>
              <Grid rows={rows} columns={columns} />
              <Cards rows={rows} columns={columns} />
            </>
          )
        }
      </PagedRows>
    </Panel>
  );
}

type Shown = { rows: MatrixPerson[]; columns: Permission[] };

function Grid({ rows, columns }: Shown): ReactElement {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <div className="scroll-x only-l" role="region" aria-label="Who can do what, table" tabIndex={0}>
      <table className="plain matrix">
        <thead>
          <tr>
            <th scope="col">Who</th>
            {columns.map((p) => (
              <th key={p.name} scope="col" className="turned" title={p.description}>
                <ShortName permission={p} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((person) => (
            <tr key={person.subject}>
              <th scope="row">
                <Who person={person} />
              </th>
              {columns.map((p) => (
                <td key={p.name}>
                  <Held person={person} permission={p} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Cards({ rows, columns }: Shown): ReactElement {
  return (
    <ul className="people-cards only-s" aria-label="Who can do what">
      {rows.map((person) => {
        const held = columns.filter((p) => person.permissions.some((g) => g.permission === p.name));
        return (
          <li key={person.subject}>
            <Who person={person} />
            <span className="chips">
              {held.map((p) => (
                <Link key={p.name} className="tag" to={explainPath(person.username, p.name)}>
                  {p.name}
                  {heldWords(person.permissions, p.name).everything ? "" : ", some"}
                </Link>
              ))}
              {held.length === 0 ? <span className="t3 small">none of these</span> : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** "query:run" of "trino:query:run": the plugin stands above. */
function ShortName({ permission }: { permission: Permission }): ReactElement {
  const [, thing, ...action] = permission.name.split(":");
  return (
    <>
      {thing}:<wbr />
      {action.join(":")}
    </>
  );
}

function Who({ person }: { person: MatrixPerson }): ReactElement {
  const service = person.kind === "service account";
  const path = service ? `/admin/service-accounts/${encodeURIComponent(person.username.replace(/^service:/, ""))}` : `/admin/users/${encodeURIComponent(person.username)}`;
  return (
    <span className="person-cell">
      <Link to={path}>{service ? person.username : person.name}</Link>
      <span className="small t3">{[service ? "service account" : person.username, ...(person.disabled ? ["disabled"] : [])].join(", ")}</span>
    </span>
  );
}

function Held({ person, permission }: { person: MatrixPerson; permission: Permission }): ReactElement {
  const held = heldWords(person.permissions, permission.name);
  if (!held.words)
    return (
      <span className="t3" role="img" aria-label="no">
        ·
      </span>
    );
  return (
    <Link className="mark" to={explainPath(person.username, permission.name)} title={held.words} aria-label={`${person.username} holds ${permission.name} ${held.words}`}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" strokeWidth="1.6" />
        <path d={held.everything ? "M6 1.6a4.4 4.4 0 1 1 0 8.8a4.4 4.4 0 1 1 0-8.8" : "M6 1.6a4.4 4.4 0 0 0 0 8.8z"} fill="currentColor" />
      </svg>
    </Link>
  );
}
