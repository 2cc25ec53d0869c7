import { Button, Tabs } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link, useSearchParams } from "react-router";
import { api, useApi, useApiMutation } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { useSession } from "../ui/session";
import { Loaded } from "../ui/states";
import { toast } from "../ui/toast";
import { Chips } from "./access/Chips";
import { Confirm } from "./access/Confirm";
import { MyRequests } from "./access/MyRequests";
import { NewToken } from "./access/NewToken";
import { countOf, PagedRows, usePaged } from "./access/paged";
import { SessionsTable } from "./access/SessionsTable";
import { PermissionsHeld, RolesHeld } from "./access/Standing";
import { TokensTable } from "./access/TokensTable";
import type { Mine, Permission, SessionRow, Token } from "./access/shapes";

const TABS = [
  { id: "profile", label: "Profile", body: Profile },
  { id: "sessions", label: "Sessions", body: MySessions },
  { id: "tokens", label: "API tokens", body: MyTokens },
  { id: "requests", label: "My requests", body: MyRequests },
];

/** Who I am here, what I may and why, where I am signed in, my tokens and my requests. */
export function Account(): ReactElement {
  const session = useSession();
  const [parameters, setParameters] = useSearchParams();
  const tab = TABS.find((t) => t.id === parameters.get("tab"))?.id ?? "profile";
  return (
    <>
      <PageHeader title="My account" subtitle={`${session.name}, signed in as ${session.username}`} />
      <Tabs value={tab} onChange={(id) => setParameters(id && id !== "profile" ? { tab: id } : {}, { replace: true })} keepMounted={false}>
        <Tabs.List>
          {TABS.map((t) => (
            <Tabs.Tab key={t.id} value={t.id}>
              {t.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {TABS.map(({ id, body: Body }) => (
          <Tabs.Panel key={id} value={id} pt="md">
            <Body />
          </Tabs.Panel>
        ))}
      </Tabs>
    </>
  );
}

function Profile(): ReactElement {
  const session = useSession();
  const mine = useApi<Mine>("/api/access/mine");
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  return (
    <Loaded query={mine} rows={8} framed>
      {(standing) => (
        <div className="stack">
          <Panel title="Who I am here">
            <dl className="keyvalue">
              <dt>Name</dt>
              <dd>{session.name}</dd>
              <dt>User name</dt>
              <dd>
                <code>{session.username}</code>
              </dd>
              <dt>E-mail</dt>
              <dd>{session.email ?? "not stated"}</dd>
              <dt>Stated by</dt>
              <dd>
                <code>{session.issuer}</code>
              </dd>
              <dt>Groups</dt>
              <dd>
                {standing.groups.length ? <Chips names={standing.groups} /> : "none"}
              </dd>
            </dl>
          </Panel>
          <Panel title="My roles, and why" badge={standing.roles.length}>
            <RolesHeld roles={standing.roles} whom="me" label="My roles" />
          </Panel>
          <Panel title="What I may" badge={standing.permissions.length} actions={<Link to="?tab=requests">Ask for more</Link>}>
            <PermissionsHeld given={standing.permissions} known={known.data?.items ?? []} roles={standing.roles} label="My permissions" />
          </Panel>
        </div>
      )}
    </Loaded>
  );
}

function MySessions(): ReactElement {
  const list = usePaged<SessionRow>("/api/sessions");
  const [asking, setAsking] = useState(false);
  const end = useApiMutation<void, { ended: number }>(() => api("/api/sessions?keep_current=true", { method: "DELETE" }), ["/api/sessions"]);
  return (
    <Panel
      title="My sessions"
      badge={countOf(list)}
      actions={
        <Button onClick={() => setAsking(true)} disabled={(list.data?.pages[0]?.items.length ?? 0) < 2}>
          End all others
        </Button>
      }
    >
      <PagedRows list={list}>{(rows) => <SessionsTable rows={rows} label="My sessions" />}</PagedRows>
      {asking ? (
        <Confirm
          title="End all your other sessions?"
          verb="End them"
          danger
          onClose={() => setAsking(false)}
          run={async () => {
            const { ended } = await end.mutateAsync();
            toast("ok", ended === 1 ? "One session has ended." : `${ended} sessions have ended.`);
            setAsking(false);
          }}
        >
          <p className="t2">Every browser but this one is signed out within a second. API tokens stay: they are revoked one by one.</p>
        </Confirm>
      ) : null}
    </Panel>
  );
}

function MyTokens(): ReactElement {
  const list = usePaged<Token>("/api/tokens");
  const [making, setMaking] = useState(false);
  const make = (
    <Button variant="filled" leftSection={<Icon name="plus" />} onClick={() => setMaking(true)}>
      New token
    </Button>
  );
  return (
    <Panel title="My API tokens" badge={countOf(list)} actions={make}>
      <PagedRows list={list}>{(rows) => <TokensTable rows={rows} label="My API tokens" />}</PagedRows>
      {making ? <NewToken onClose={() => setMaking(false)} /> : null}
    </Panel>
  );
}
