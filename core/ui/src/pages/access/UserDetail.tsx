// One person: what they hold and why, where they are signed in, their tokens, what they own; disabling and handing over.
import { Button, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link } from "react-router";
import { GatedButton } from "../../ui/access";
import { api, useApi, useApiMutation } from "../../ui/api";
import { plural } from "../../ui/format";
import { PageHeader, Panel } from "../../ui/layout";
import { usePermission, usePortal } from "../../ui/session";
import { EmptyState } from "../../ui/states";
import { Status } from "../../ui/status";
import { Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { Chips } from "./Chips";
import { Confirm, PreviewView, usePreview } from "./Confirm";
import { OneOf } from "./OneOf";
import { countOf, PagedRows, usePaged } from "./paged";
import { PersonSelect } from "./PersonSelect";
import { SessionsTable } from "./SessionsTable";
import { RolesHeld } from "./Standing";
import { TokensTable } from "./TokensTable";
import type { Owned, Preview, SessionRow, Token, User } from "./shapes";
import { MANAGE } from "./words";

export function UserDetail({ username }: { username: string }): ReactElement {
  const path = `/api/users/${encodeURIComponent(username)}`;
  const query = useApi<User>(path);
  return (
    <OneOf title={username} crumbs={<Link to="/admin/users">Admin / Users</Link>} query={query}>
      {(found) => <Person user={found} path={path} />}
    </OneOf>
  );
}

function Person({ user, path }: { user: User; path: string }): ReactElement {
  const [changing, setChanging] = useState(false);
  const sessions = usePermission("core:session:manage");
  const tokens = usePermission("core:token:manage");
  return (
    <>
      <PageHeader
        title={user.name}
        crumbs={<Link to="/admin/users">Admin / Users</Link>}
        subtitle={
          <>
            {user.username}, last seen <Time at={user.last_seen_at} />
          </>
        }
        actions={
          <>
            <Button component={Link} to={`/admin/explain?subject=${encodeURIComponent(user.username)}`}>
              What may they?
            </Button>
            <GatedButton permission={MANAGE} onClick={() => setChanging(true)}>
              {user.disabled_at ? "Enable" : "Disable"}
            </GatedButton>
          </>
        }
      />
      <Panel title="Account" actions={<Status state={user.disabled_at ? "disabled" : "active"} label={user.disabled_at ? "Disabled" : "Enabled"} />}>
        <dl className="keyvalue">
          <dt>E-mail</dt>
          <dd>{user.email ?? "not stated"}</dd>
          <dt>Issuer and subject</dt>
          <dd>
            <code>{user.subject}</code>
          </dd>
          <dt>Groups</dt>
          <dd>
            {user.groups.length ? <Chips names={user.groups} /> : "none"}
          </dd>
          <dt>First seen</dt>
          <dd>
            <Time at={user.first_seen_at} />
          </dd>
          {user.disabled_at ? (
            <>
              <dt>Disabled</dt>
              <dd>
                <Time at={user.disabled_at} />: {user.disabled_reason}
              </dd>
            </>
          ) : null}
        </dl>
      </Panel>
      <Panel title="Roles, and why" badge={user.roles.length}>
        <RolesHeld roles={user.roles} whom={user.name} label={`Roles of ${user.name}`} />
      </Panel>
      {sessions ? <SessionsOf user={user} /> : null}
      {tokens ? <TokensOf user={user} /> : null}
      <OwnedBy user={user} path={path} />
      {changing ? <Disable user={user} path={path} onClose={() => setChanging(false)} /> : null}
    </>
  );
}

function SessionsOf({ user }: { user: User }): ReactElement {
  const list = usePaged<SessionRow>(`/api/sessions?username=${encodeURIComponent(user.username)}`);
  return (
    <Panel title="Sessions" badge={countOf(list)}>
      <PagedRows list={list}>{(rows) => <SessionsTable rows={rows} label={`Sessions of ${user.name}`} />}</PagedRows>
    </Panel>
  );
}

function TokensOf({ user }: { user: User }): ReactElement {
  const list = usePaged<Token>(`/api/tokens?username=${encodeURIComponent(user.username)}`);
  return (
    <Panel title="API tokens" badge={countOf(list)}>
      <PagedRows list={list}>{(rows) => <TokensTable rows={rows} everybody label={`API tokens of ${user.name}`} />}</PagedRows>
    </Panel>
  );
}

function OwnedBy({ user, path }: { user: User; path: string }): ReactElement {
  const list = usePaged<Owned>(`${path}/owned`);
  const [giving, setGiving] = useState(false);
  const empty = (list.data?.pages[0]?.items.length ?? 0) === 0;
  return (
    <Panel
      title="What they own"
      badge={countOf(list)}
      actions={
        empty ? null : (
          <GatedButton permission={MANAGE} onClick={() => setGiving(true)}>
            Hand over
          </GatedButton>
        )
      }
    >
      <PagedRows list={list}>
        {(rows) => (
          <Table
            label={`Owned by ${user.name}`}
            rows={rows}
            rowKey={(o) => `${o.plugin} ${o.collection} ${o.id}`}
            empty={<EmptyState title="Nothing">What they save or make is here, and can be handed over when they leave.</EmptyState>}
            columns={[
              { id: "title", label: "Name", value: (o) => o.title },
              { id: "kind", label: "Kind", value: (o) => `${o.plugin} ${o.collection}`, render: (o) => <span className="tag">{`${o.plugin} ${o.collection}`}</span> },
              { id: "at", label: "Changed", value: (o) => o.updated_at, render: (o) => <Time at={o.updated_at} /> },
            ]}
          />
        )}
      </PagedRows>
      {giving ? <HandOver user={user} path={path} onClose={() => setGiving(false)} /> : null}
    </Panel>
  );
}

function Disable({ user, path, onClose }: { user: User; path: string; onClose: () => void }): ReactElement {
  const disables = !user.disabled_at;
  const [reason, setReason] = useState("");
  const [error, setError] = useState<string | null>(null);
  const { reload } = usePortal();
  const body = { disabled: disables, ...(disables ? { reason: reason.trim() || "preview" } : {}) };
  const tried = usePreview("once", async () => (await api<{ preview: Preview }>(`${path}?dry_run=true`, { method: "PATCH", body })).preview);
  const change = useApiMutation<void, { sessions_ended: number }>(() => api(path, { method: "PATCH", body }), ["/api/users", "/api/sessions", "/api/access", "/api/groups"]);
  return (
    <Confirm
      title={`${disables ? "Disable" : "Enable"} ${user.name}?`}
      verb={disables ? "Disable" : "Enable"}
      danger={disables}
      disabled={tried.pending || tried.error !== null}
      onClose={onClose}
      run={async () => {
        if (disables && reason.trim() === "") {
          setError("Say why: it is shown here and in the audit log.");
          return;
        }
        const { sessions_ended } = await change.mutateAsync();
        toast("ok", disables ? `${user.name} is disabled; ${plural(sessions_ended, "session")} ended.` : `${user.name} is enabled.`);
        onClose();
        await reload();
      }}
    >
      <p className="t2">
        {disables
          ? "Their sessions end everywhere within a second, their API tokens stop, and no binding gives them anything until they are enabled again. What they own stays theirs."
          : "Their bindings count again. They have to sign in anew; their API tokens work again."}
      </p>
      <PreviewView tried={tried} />
      {disables ? <TextInput data-autofocus label="Reason" maxLength={300} value={reason} error={error} onChange={(e) => setReason(e.currentTarget.value)} /> : null}
    </Confirm>
  );
}

function HandOver({ user, path, onClose }: { user: User; path: string; onClose: () => void }): ReactElement {
  const [to, setTo] = useState("");
  const tried = useApi<{ items: Owned[] }>(`${path}/owned?limit=500`);
  const give = useApiMutation<void, { moved: number; to: string }>(() => api(`${path}/hand-over`, { method: "POST", body: { to } }), ["/api/users"]);
  const count = tried.data?.items.length ?? 0;
  return (
    <Confirm
      title={`Hand over all that ${user.name} owns?`}
      verb="Hand over"
      danger
      disabled={to === ""}
      onClose={onClose}
      run={async () => {
        const { moved } = await give.mutateAsync();
        toast("ok", `${to} owns ${plural(moved, "thing")} of ${user.name}'s now.`);
        onClose();
      }}
    >
      <p className="t2">
        {plural(count, "thing")}
        {count === 500 ? " and more" : ""} will belong to somebody else. {user.name} loses what only owners may; who they were shared with keeps them.
      </p>
      <PersonSelect label="To" value={to} onChange={setTo} without={user.username} />
    </Confirm>
  );
}
