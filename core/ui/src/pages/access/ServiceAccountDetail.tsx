import { Button } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link, useNavigate } from "react-router";
import { GatedButton } from "../../ui/access";
import { api, useApi, useApiMutation } from "../../ui/api";
import { Icon } from "../../ui/icons";
import { PageHeader, Panel } from "../../ui/layout";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { Confirm, PreviewView, usePreview } from "./Confirm";
import { NewBinding } from "./NewBinding";
import { NewToken } from "./NewToken";
import { OneOf } from "./OneOf";
import { countOf, PagedRows, usePaged } from "./paged";
import { RolesHeld } from "./Standing";
import { TokensTable } from "./TokensTable";
import type { Preview, ServiceAccount, Token } from "./shapes";
import { MANAGE } from "./words";

const CRUMBS = <Link to="/admin/service-accounts">Admin / Service accounts</Link>;
const CHANGED = ["/api/service-accounts", "/api/access", "/api/role-bindings", "/api/tokens"];

export function ServiceAccountDetail({ name }: { name: string }): ReactElement {
  const path = `/api/service-accounts/${encodeURIComponent(name)}`;
  const query = useApi<ServiceAccount>(path);
  return (
    <OneOf title={name} crumbs={CRUMBS} query={query}>
      {(found) => <OneAccount account={found} path={path} />}
    </OneOf>
  );
}

function OneAccount({ account, path }: { account: ServiceAccount; path: string }): ReactElement {
  const [open, setOpen] = useState<"give" | "token" | "disable" | "delete" | null>(null);
  const close = (): void => setOpen(null);
  const tokens = usePaged<Token>(`${path}/tokens`);
  return (
    <>
      <PageHeader
        title={account.username}
        crumbs={CRUMBS}
        subtitle={account.description}
        actions={
          <>
            <Button onClick={() => setOpen("delete")}>Delete</Button>
            <Button onClick={() => setOpen("disable")}>{account.disabled_at ? "Enable" : "Disable"}</Button>
            <GatedButton permission={MANAGE} variant="filled" onClick={() => setOpen("give")}>
              Give a role
            </GatedButton>
          </>
        }
      />
      <Panel title="Account" actions={<Status state={account.disabled_at ? "disabled" : "active"} label={account.disabled_at ? "Disabled" : "Enabled"} />}>
        <dl className="keyvalue">
          <dt>Bindings name it</dt>
          <dd>
            <code>{account.username}</code>
          </dd>
          <dt>Issuer and subject</dt>
          <dd>
            <code>{account.subject}</code>
          </dd>
          <dt>Made</dt>
          <dd>
            <Time at={account.created_at} />
          </dd>
          <dt>Signs in</dt>
          <dd>
            Never. CI exchanges its own token at <code>/api/tokens/exchange</code> under the trust rules of the settings; anything else uses an API token.
          </dd>
        </dl>
      </Panel>
      <Panel title="Roles, and why" badge={account.roles.length}>
        <RolesHeld roles={account.roles} whom={account.username} label={`Roles of ${account.username}`} />
      </Panel>
      <Panel
        title="API tokens"
        badge={countOf(tokens)}
        actions={
          <Button leftSection={<Icon name="plus" />} disabled={account.disabled_at !== null} onClick={() => setOpen("token")}>
            New token
          </Button>
        }
      >
        <PagedRows list={tokens}>{(rows) => <TokensTable rows={rows} of={account.username} below={`${path}/tokens`} label={`API tokens of ${account.username}`} />}</PagedRows>
      </Panel>
      {open === "give" ? <NewBinding subject={account.username} onClose={close} /> : null}
      {open === "token" ? <NewToken account={account} below={`${path}/tokens`} onClose={close} /> : null}
      {open === "disable" ? <Disable account={account} path={path} onClose={close} /> : null}
      {open === "delete" ? <Delete account={account} path={path} onClose={close} /> : null}
    </>
  );
}

type Props = { account: ServiceAccount; path: string; onClose: () => void };
type Changed = { preview: Preview };

function Disable({ account, path, onClose }: Props): ReactElement {
  const disables = account.disabled_at === null;
  const send = (query = ""): Promise<Changed> => api(`${path}${query}`, { method: "PATCH", body: { disabled: disables } });
  const tried = usePreview("once", async () => (await send("?dry_run=true")).preview);
  const change = useApiMutation<void, Changed>(() => send(), CHANGED);
  return (
    <Confirm
      title={`${disables ? "Disable" : "Enable"} ${account.username}?`}
      verb={disables ? "Disable" : "Enable"}
      danger={disables}
      disabled={tried.pending}
      onClose={onClose}
      run={async () => {
        await change.mutateAsync();
        toast("ok", `${account.username} is ${disables ? "disabled" : "enabled"}.`);
        onClose();
      }}
    >
      <p className="t2">
        {disables
          ? "Its tokens are refused within a second. Tokens that were exchanged are over for good; those that were made here work again once it is enabled."
          : "Its bindings count again, and the tokens that were made here work again."}
      </p>
      <PreviewView tried={tried} />
    </Confirm>
  );
}

function Delete({ account, path, onClose }: Props): ReactElement {
  const navigate = useNavigate();
  const send = (query = ""): Promise<Changed> => api(`${path}${query}`, { method: "DELETE" });
  const tried = usePreview("once", async () => (await send("?dry_run=true")).preview);
  const remove = useApiMutation<void, Changed>(() => send(), ["/api/access", "/api/role-bindings"]);
  return (
    <Confirm
      title={`Delete ${account.username}?`}
      verb="Delete account"
      danger
      disabled={tried.pending}
      onClose={onClose}
      run={async () => {
        await remove.mutateAsync();
        toast("ok", `${account.username} is gone.`);
        void navigate("/admin/service-accounts");
      }}
    >
      <p className="t2">Its tokens and the bindings that were made here for it go with it. That cannot be undone.</p>
      <PreviewView tried={tried} />
    </Confirm>
  );
}
