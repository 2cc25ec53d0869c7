// Picking among permissions: by plugin, found by text.
import { Checkbox, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { pluralOf } from "../../ui/format";
import type { Permission } from "./shapes";
import "../../ui/ask.css";
import "./access.css";

type Props = { label: string; known: Permission[]; picked: string[]; onChange: (picked: string[]) => void; error?: string | null; height?: "tall" };

export function PickPermissions({ label, known, picked, onChange, error, height }: Props): ReactElement {
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = known.filter((p) => `${p.name} ${p.description}`.toLowerCase().includes(wanted));
  const plugins = [...new Set(shown.map((p) => p.plugin))];
  const names = shown.map((p) => p.name);
  const all = names.length > 0 && names.every((name) => picked.includes(name));
  const toggle = (name: string, on: boolean): void => onChange(on ? [...picked, name] : picked.filter((p) => p !== name));
  return (
    <fieldset className="pick-group">
      <legend className="visually-hidden">{label}</legend>
      <p className="ask-label" aria-hidden="true">
        {label}
      </p>
      <div className="pick-tools">
        <TextInput className="filter" aria-label={`Filter: ${label}`} placeholder="Filter" value={text} onChange={(e) => setText(e.currentTarget.value)} />
        <span className="small t3" role="status">
          {pluralOf(picked.length, known.length, "permission")}
        </span>
        <span className="grow" />
        <button
          type="button"
          className="link-button"
          disabled={names.length === 0}
          onClick={() => onChange(all ? picked.filter((p) => !names.includes(p)) : [...new Set([...picked, ...names])])}
        >
          {all ? "None of these" : "All of these"}
        </button>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <div className="pick" data-height={height} role="group" aria-label={label} tabIndex={0}>
        {plugins.map((plugin) => (
          <fieldset className="pick-group" key={plugin}>
            <legend>{plugin}</legend>
            {shown
              .filter((p) => p.plugin === plugin)
              .map((p) => (
                <div className="pick-item" key={p.name}>
                  <Checkbox
                    size="xs"
                    label={<code>{p.name}</code>}
                    description={p.description}
                    checked={picked.includes(p.name)}
                    onChange={(e) => toggle(p.name, e.currentTarget.checked)}
                  />
                </div>
              ))}
          </fieldset>
        ))}
        {plugins.length === 0 ? <p className="panel-body t2 small">No permission matches.</p> : null}
      </div>
      {error ? (
        <p className="small bad" role="alert">
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}
