import { TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { ReactElement } from "react";
import { Link, useSearchParams } from "react-router";
import { PageHeader, Panel } from "../ui/layout";
import { countOf, PagedRows, usePaged } from "./access/paged";
import { TokensTable } from "./access/TokensTable";
import type { Token } from "./access/shapes";

/** Everybody's API tokens that are not revoked. */
export function Tokens(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const username = parameters.get("username") ?? "";
  const [wanted] = useDebouncedValue(username.trim(), 250);
  const list = usePaged<Token>(`/api/tokens?${wanted ? `username=${encodeURIComponent(wanted)}` : "all=true"}`);
  return (
    <>
      <PageHeader title="API tokens" crumbs="Admin" subtitle="Everybody's, newest first. A token is made by its owner only." actions={<Link to="/account?tab=tokens">My own tokens</Link>} />
      <Panel
        label="API tokens"
        title={<TextInput className="filter" aria-label="User name" placeholder="User name" value={username} onChange={(e) => setParameters(e.currentTarget.value ? { username: e.currentTarget.value } : {}, { replace: true })} />}
        actions={list.data ? <span className="small t3">{countOf(list)}</span> : null}
      >
        <PagedRows list={list}>{(rows) => <TokensTable rows={rows} everybody label="API tokens" />}</PagedRows>
      </Panel>
    </>
  );
}
