import { Switch, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { pluralOf } from "../ui/format";
import { EmptyState } from "../ui/states";
import { Table } from "../ui/table";

export type Setting = { key: string; value: unknown; source: string; description: string; secret: boolean };

const LONGEST = 160;
const shorten = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** A value as it would be written in YAML: text plain, the rest as JSON. */
export const written = (value: unknown): string => (typeof value === "string" && value !== "" ? value : JSON.stringify(value));

/** Settings under their first word: `server`, `database`, ... in the order that the server gives. */
export function bySection(settings: Setting[]): [string, Setting[]][] {
  const sections = new Map<string, Setting[]>();
  for (const setting of settings) {
    const [name = ""] = setting.key.split(".");
    sections.set(name, [...(sections.get(name) ?? []), setting]);
  }
  return [...sections];
}

export function matches(setting: Setting, text: string, changedOnly: boolean): boolean {
  if (changedOnly && setting.source === "default") return false;
  const wanted = text.trim().toLowerCase();
  const searched = `${setting.key} ${setting.description} ${setting.source} ${setting.secret ? "" : written(setting.value)}`;
  return searched.toLowerCase().includes(wanted);
}

export function SettingsTable({ settings, label }: { settings: Setting[]; label: string }): ReactElement {
  return (
    <Table
      label={label}
      rows={settings}
      rowKey={(s) => s.key}
      columns={[
        { id: "key", label: "Setting", width: "26%", value: (s) => s.key, render: (s) => <code>{s.key}</code> },
        { id: "value", label: "Value", width: "26%", value: (s) => (s.secret ? "masked" : written(s.value)), render: (s) => <SettingValue setting={s} /> },
        {
          id: "source",
          label: "Set by",
          width: "12%",
          value: (s) => s.source,
          render: (s) => (s.source === "default" ? <span className="t3">default</span> : <span className="tag">{s.source}</span>),
        },
        { id: "description", label: "Meaning", wide: true, value: (s) => s.description, render: (s) => <span className="t2">{s.description}</span> },
      ]}
    />
  );
}

function SettingValue({ setting }: { setting: Setting }): ReactElement {
  if (setting.value === null) return <em className="t3">not set</em>;
  if (setting.secret) return <span className="t3">masked</span>;
  return <code>{shorten(written(setting.value))}</code>;
}

/** All settings in sections, found by text, or only those that somebody set. */
export function SettingsBySection({ settings }: { settings: Setting[] }): ReactElement {
  const [text, setText] = useState("");
  const [changed, setChanged] = useState(false);
  const shown = settings.filter((s) => matches(s, text, changed));
  return (
    <>
      <div className="row wrap">
        <TextInput className="filter" aria-label="Filter settings" placeholder="Filter by name, value or meaning" value={text} onChange={(e) => setText(e.currentTarget.value)} />
        <Switch label="Only what is not the default" checked={changed} onChange={(e) => setChanged(e.currentTarget.checked)} />
        <span className="grow" />
        <span className="small t3" role="status">
          {pluralOf(shown.length, settings.length, "setting")}
        </span>
      </div>
      {shown.length === 0 ? (
        <section className="panel">
          <EmptyState title="No setting matches">Change the filter above.</EmptyState>
        </section>
      ) : null}
      {bySection(shown).map(([section, own]) => (
        <section className="panel" key={section} aria-label={`Settings of ${section}`}>
          <header>
            <h2>{section}</h2>
            <span className="tag">{own.length}</span>
          </header>
          <SettingsTable settings={own} label={`Settings of ${section}`} />
        </section>
      ))}
    </>
  );
}
