import { Button, TextInput } from "@mantine/core";
import { Fragment, useState, type ReactElement } from "react";
import { useSearchParams } from "react-router";
import { useApi } from "../ui/api";
import { formatDuration, plural } from "../ui/format";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, Loaded } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { toast } from "../ui/toast";
import { SettingsTable, type Setting } from "./SettingsTable";
import "./plugins.css";

type Plugin = {
  id: string;
  title: string;
  version: string;
  distribution: string;
  state: "active" | "disabled" | "quarantined";
  stage: string | null;
  reason: string | null;
  remedy: string | null;
  detail: string | null;
  contract: string | null;
  owner: string;
  docs: string | null;
  description: string;
  upstream_versions: string[];
  load_ms: number | null;
  contributes: Record<string, number>;
  settings: Setting[];
};

/** Quarantined first: that is what somebody must look at. */
const ORDER = ["quarantined", "active", "disabled"];

const contributes = (plugin: Plugin): string =>
  Object.entries(plugin.contributes)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => plural(count, name.replace(/s$/, ""), name))
    .join(", ");

export function Plugins(): ReactElement {
  const query = useApi<{ items: Plugin[] }>("/api/plugins");
  if (query.data) return <Loaded query={query}>{({ items }) => <PluginList plugins={items} />}</Loaded>;
  return (
    <>
      <PageHeader title="Plugins" crumbs="Admin" />
      <Panel label="Installed plugins">
        <Loaded query={query} rows={8}>
          {() => null}
        </Loaded>
      </Panel>
    </>
  );
}

function PluginList({ plugins }: { plugins: Plugin[] }): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const [text, setText] = useState("");
  const chosen = plugins.find((p) => p.id === parameters.get("plugin")) ?? plugins.find((p) => p.state === "quarantined");
  const shown = plugins
    .filter((p) => `${p.id} ${p.title} ${p.state}`.toLowerCase().includes(text.toLowerCase()))
    .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const total = plugins.reduce((sum, p) => sum + (p.load_ms ?? 0), 0);
  const contract = plugins.find((p) => p.contract)?.contract;
  const states = (["active", "quarantined", "disabled"] as const).filter((s) => plugins.some((p) => p.state === s));
  const report = async (): Promise<void> => {
    await navigator.clipboard.writeText(plugins.map((p) => `${p.id} ${p.version} ${p.state}${p.reason ? `: ${p.stage}: ${p.reason}` : ""}`).join("\n"));
    toast("ok", "A report of all plugins is in the clipboard.");
  };
  return (
    <>
      <PageHeader
        title="Plugins"
        crumbs="Admin"
        subtitle={`${plugins.length} installed${contract ? `, contract ${contract}` : ""}, loaded in ${formatDuration(total / 1000)}`}
        actions={
          <Button leftSection={<Icon name="copy" />} onClick={() => void report()}>
            Report
          </Button>
        }
      />
      <section className="panel" aria-label="Installed plugins">
        <header>
          {states.map((state, i) => (
            <Fragment key={state}>
              {i > 0 ? <span className="t3">·</span> : null}
              <Status state={state} label={`${plugins.filter((p) => p.state === state).length} ${state}`} />
            </Fragment>
          ))}
          <span className="grow" />
          <TextInput aria-label="Filter plugins" placeholder="Filter" value={text} onChange={(e) => setText(e.currentTarget.value)} />
        </header>
        <Table
          label="Plugins"
          rows={shown}
          rowKey={(p) => p.id}
          onRow={(p) => setParameters({ plugin: p.id }, { replace: true })}
          empty={<EmptyState title={plugins.length ? "No plugin matches" : "No plugins are installed"}>Install one with pip beside the portal and restart it; no rebuild is needed.</EmptyState>}
          columns={[
            {
              id: "plugin",
              label: "Plugin",
              value: (p) => p.id,
              render: (p) => (
                <span className="row">
                  <button type="button" className="plugin-name" onClick={() => setParameters({ plugin: p.id }, { replace: true })}>
                    {p.id}
                  </button>
                  <span className="tag">{p.version}</span>
                </span>
              ),
            },
            { id: "state", label: "State", value: (p) => p.state, render: (p) => <Status state={p.state} /> },
            {
              id: "what",
              label: "What it brings, or why not",
              value: (p) => p.reason ?? p.title,
              render: (p) => (
                <>
                  {p.reason ?? (p.description || p.title)}
                  {p.state === "quarantined" && p.remedy ? <p className="t2 small">{p.remedy}</p> : null}
                </>
              ),
            },
            { id: "contributes", wide: true, label: "Contributes", value: contributes, render: (p) => <span className="t2">{contributes(p) || "-"}</span> },
            { id: "load", wide: true, label: "Load", numeric: true, value: (p) => p.load_ms, render: (p) => (p.load_ms === null ? "-" : `${Math.round(p.load_ms)} ms`) },
          ]}
        />
      </section>
      {chosen ? <PluginDetail plugin={chosen} /> : null}
    </>
  );
}

function PluginDetail({ plugin }: { plugin: Plugin }): ReactElement {
  return (
    <Panel
      label={`Plugin ${plugin.id}`}
      title={
        <>
          <h2>{plugin.id}</h2>
          <span className="tag">{plugin.version}</span>
          <Status state={plugin.state} />
        </>
      }
      actions={<span className="small t3">{plugin.stage ? `stage ${plugin.stage}` : plugin.contract ? `contract ${plugin.contract}` : null}</span>}
    >
      {plugin.state === "quarantined" ? (
        <>
          <pre className="plugin-trace">{plugin.detail ?? plugin.reason}</pre>
          <div className="panel-body">
            <h3>What to do</h3>
            <p className="t2">
              {plugin.remedy} Then restart the portal; the rest of the console is not affected. <code>openlakes plugin check {plugin.id}</code> tells what else the
              conformance kit finds.
            </p>
          </div>
        </>
      ) : (
        <>
          <dl className="keyvalue">
            <dt>Distribution</dt>
            <dd>
              <code>{plugin.distribution}</code>
            </dd>
            <dt>Owner</dt>
            <dd>{plugin.owner || "not stated"}</dd>
            {plugin.upstream_versions.length ? (
              <>
                <dt>Works with</dt>
                <dd>{plugin.upstream_versions.join(", ")}</dd>
              </>
            ) : null}
            {plugin.docs ? (
              <>
                <dt>Documentation</dt>
                <dd>
                  <a href={plugin.docs} rel="noreferrer">
                    {plugin.docs}
                  </a>
                </dd>
              </>
            ) : null}
          </dl>
          {plugin.settings.length ? <SettingsTable settings={plugin.settings} label={`Settings of ${plugin.id}`} /> : null}
        </>
      )}
    </Panel>
  );
}
