// Beside an answer about one: who else holds the permission, by which roles and for what.
import type { ReactElement } from "react";
import { Link } from "react-router";
import { useApi } from "../../ui/api";
import { Panel } from "../../ui/layout";
import { EmptyState, Loaded } from "../../ui/states";
import { Table } from "../../ui/table";
import type { Explanation, MatrixPerson, Page } from "./shapes";
import { explainPath, heldWords } from "./words";

const SHOWN = 10;

export function WhoElse({ answer }: { answer: Explanation }): ReactElement {
  const query = useApi<Page<MatrixPerson>>(`/api/access/matrix?limit=${SHOWN + 1}&permission=${encodeURIComponent(answer.permission)}`);
  const others = (query.data?.items ?? []).filter((p) => p.username !== answer.username);
  const more = query.data?.next_cursor !== null || others.length > SHOWN;
  return (
    <Panel
      title="Who else can"
      badge={query.data ? `${Math.min(others.length, SHOWN)}${more && others.length > 0 ? "+" : ""}` : undefined}
      actions={others.length > 0 ? <Link to={`/admin/matrix?permission=${encodeURIComponent(answer.permission)}`}>All</Link> : null}
    >
      <Loaded query={query} rows={3}>
        {() => (
          <Table
            label="Who else can"
            rows={others.slice(0, SHOWN)}
            rowKey={(p) => p.subject}
            empty={<EmptyState title="Nobody else">No binding in force gives it to another person or service account.</EmptyState>}
            columns={[
              {
                id: "who",
                label: "Who",
                value: (p) => p.username,
                render: (p) => (
                  <span className="person-cell">
                    <Link to={explainPath(p.username, answer.permission)}>{p.kind === "person" ? p.name : p.username}</Link>
                    <span className="small t3">{p.kind === "person" ? p.username : p.kind}</span>
                  </span>
                ),
              },
              { id: "roles", label: "Roles", value: (p) => p.roles.join(", "), render: (p) => <span className="t2">{p.roles.join(", ") || "by itself"}</span> },
              { id: "for", label: "For", value: (p) => heldWords(p.permissions, answer.permission).words },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  );
}
