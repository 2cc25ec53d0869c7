import { Button, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { useSearchParams } from "react-router";
import { useApi } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { EmptyState, Loaded } from "../ui/states";
import { Status } from "../ui/status";
import { Table } from "../ui/table";
import { toast } from "../ui/toast";
import "./plugins.css";

type Setting = { key: string; value: unknown; source: string; description: string; secret: boolean };
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

const plural = (count: number, name: string): string => `${count} ${count === 1 ? name.replace(/s$/, "") : name}`;
const contributes = (plugin: Plugin): string =>
  Object.entries(plugin.contributes)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => plural(count, name))
    .join(", ");

export function Plugins(): ReactElement {
  const query = useApi<{ items: Plugin[] }>("/api/plugins");
  return (
    <Loaded query={query} rows={8}>
      {({ items }) => <PluginList plugins={items} />}
    </Loaded>
  );
}

function PluginList({ plugins }: { plugins: Plugin[] }): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const [text, setText] = useState("");
  const chosen = plugins.find((p) => p.id === parameters.get("plugin")) ?? plugins.find((p) => p.state === "quarantined");
  const shown = plugins.filter((p) => `${p.id} ${p.title} ${p.state}`.toLowerCase().includes(text.toLowerCase()));
  const total = plugins.reduce((sum, p) => sum + (p.load_ms ?? 0), 0);
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
        subtitle={`${plugins.length} installed, loaded in ${(total / 1000).toFixed(2)} s`}
        actions={
          <Button leftSection={<Icon name="copy" />} onClick={() => void report()}>
            Report
          </Button>
        }
      />
      <section className="panel" aria-label="Installed plugins">
        <header>
          {states.map((state) => (
            <Status key={state} state={state} label={`${plugins.filter((p) => p.state === state).length} ${state}`} />
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
            { id: "contributes", label: "Contributes", value: contributes, render: (p) => <span className="t2">{contributes(p) || "-"}</span> },
            { id: "load", label: "Load", numeric: true, value: (p) => p.load_ms, render: (p) => (p.load_ms === null ? "-" : `${Math.round(p.load_ms)} ms`) },
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

export function SettingsTable({ settings, label }: { settings: Setting[]; label: string }): ReactElement {
  return (
    <Table
      label={label}
      tools={settings.length > 8}
      rows={settings}
      rowKey={(s) => s.key}
      columns={[
        { id: "key", label: "Setting", value: (s) => s.key, render: (s) => <code>{s.key}</code> },
        {
          id: "value",
          label: "Value",
          value: (s) => (s.secret ? "masked" : JSON.stringify(s.value)),
          render: (s) => (s.value === null ? <em className="t3">not set</em> : s.secret ? <span className="t3">masked</span> : <code>{shorten(JSON.stringify(s.value))}</code>),
        },
        { id: "source", label: "Set by", value: (s) => s.source, render: (s) => <span className={s.source === "default" ? "t3" : "b"}>{s.source}</span> },
        { id: "description", label: "Meaning", value: (s) => s.description, render: (s) => <span className="t2">{s.description}</span> },
      ]}
    />
  );
}

const shorten = (text: string): string => (text.length > 160 ? `${text.slice(0, 159)}…` : text);
