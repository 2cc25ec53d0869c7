import { Button, Select, TextInput } from "@mantine/core";
import { useState, type FormEvent, type ReactElement } from "react";
import { useSearchParams } from "react-router";
import { useApi } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, Loaded } from "../ui/states";
import { toast } from "../ui/toast";
import { Explained } from "./access/Explained";
import { WhoElse } from "./access/WhoElse";
import { PersonSelect } from "./access/PersonSelect";
import type { Explanation, Permission } from "./access/shapes";
import "./access/access.css";

/** "Can Alice see this?": the question stands in the address, so an answer can be sent to somebody. */
export function Explain(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const [subject, setSubject] = useState(parameters.get("subject") ?? "");
  const [permission, setPermission] = useState(parameters.get("permission") ?? "");
  const [resource, setResource] = useState(parameters.get("resource") ?? "");
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  const chosen = known.data?.items.find((p) => p.name === permission);
  const asked = parameters.get("permission") && parameters.get("subject") ? parameters.toString() : null;
  const answer = useApi<Explanation>(asked ? `/api/access/explain?${asked}` : null);
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    if (!subject || !permission) return;
    setParameters({ subject, permission, ...(resource.trim() ? { resource: resource.trim() } : {}) });
  };
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(window.location.href);
    toast("ok", "The address of this answer is in the clipboard.");
  };
  return (
    <>
      <PageHeader
        title="Can somebody do something?"
        crumbs="Govern / Explain access"
        subtitle="Asked of the same rules that every request meets."
        actions={
          asked ? (
            <Button leftSection={<Icon name="share" />} onClick={() => void copy()}>
              Copy link
            </Button>
          ) : null
        }
      />
      <Panel label="Question">
        <form className="ask-question" onSubmit={ask}>
          <PersonSelect label="Can" value={subject} onChange={setSubject} />
          <Select
            label="do"
            searchable
            placeholder="Find a permission"
            nothingFoundMessage="Nothing found"
            data={(known.data?.items ?? []).map((p) => ({ value: p.name, label: `${p.name}: ${p.description}` }))}
            value={permission || null}
            onChange={(value) => setPermission(value ?? "")}
          />
          <TextInput
            label="with (optional)"
            placeholder={chosen && !chosen.scoped ? "not asked about things" : "catalog=lakehouse/schema=nyc_taxi"}
            value={resource}
            onChange={(e) => setResource(e.currentTarget.value)}
          />
          <Button type="submit" variant="filled" disabled={!subject || !permission}>
            Ask
          </Button>
        </form>
      </Panel>
      {asked ? (
        <Loaded query={answer} rows={6} framed>
          {(found) => (
            <>
              <Explained answer={found} description={known.data?.items.find((p) => p.name === found.permission)?.description} />
              <WhoElse answer={found} />
            </>
          )}
        </Loaded>
      ) : (
        <Panel label="Answer">
          <EmptyState title="Choose somebody and what they would do">The answer names the binding that decides, every rule that was looked at, and who could change it.</EmptyState>
        </Panel>
      )}
    </>
  );
}
