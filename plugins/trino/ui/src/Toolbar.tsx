import { Button, Icon, Menu, Select, TextInput } from "@openlakes/ui";
import type { ReactElement } from "react";
import type { ExplainKind } from "./statements";
import type { EngineInfo } from "./types";

export const LIMITS = [100, 1000, 10_000, 100_000, 1_000_000];

type Props = {
  busy: boolean;
  stopping: boolean;
  engines: EngineInfo[];
  engine: string;
  place: string;
  places: string[];
  limit: number;
  parameters: { name: string; value: string }[];
  onRun: () => void;
  onRunAll: () => void;
  onStop: () => void;
  onExplain: (kind: ExplainKind) => void;
  /** How many session properties the tab sets; null where the engine has none. */
  session: number | null;
  onSession: () => void;
  onFormat: () => void;
  onSave: () => void;
  onLibrary: () => void;
  onTree: () => void;
  onEngine: (engine: string) => void;
  onPlace: (place: string) => void;
  onLimit: (limit: number) => void;
  /** The name of the tab that was closed last, if one can be reopened. */
  closed: string | null;
  onReopen: () => void;
  onParameter: (name: string, value: string) => void;
};

const EXPLAINS: { kind: ExplainKind; label: string }[] = [
  { kind: "distributed", label: "Explain: distributed plan" },
  { kind: "io", label: "Explain: tables that it reads" },
];

const sessionLabel = (set: number): string => (set ? `Session properties (${set})` : "Session properties");

/** Run and Stop always in the same place; then what it runs with. */
export function Toolbar(props: Props): ReactElement {
  return (
    <div className="sql-tools" role="toolbar" aria-label="Query">
      <Button className="only-s" variant="subtle" aria-label="Catalog" onClick={props.onTree}>
        <Icon name="database" />
      </Button>
      <Button variant="filled" leftSection={<Icon name="play" />} onClick={props.onRun} disabled={props.busy} rightSection={<span className="sql-key only-l">Ctrl ↵</span>}>
        Run
      </Button>
      <Button leftSection={<Icon name="stop" />} onClick={props.onStop} disabled={!props.busy} loading={props.stopping}>
        Stop
      </Button>
      <span className="only-l sql-quiet">
        {props.session === null ? (
          <Button variant="subtle" color="gray" onClick={() => props.onExplain("plan")}>
            Explain
          </Button>
        ) : (
          <Menu position="bottom-start" shadow="md">
            <Menu.Target>
              <Button variant="subtle" color="gray" rightSection={<Icon name="down" />}>
                Explain
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {EXPLAINS.map(({ kind, label }) => (
                <Menu.Item key={kind} leftSection={<Icon name="model" />} onClick={() => props.onExplain(kind)}>
                  {label}
                </Menu.Item>
              ))}
            </Menu.Dropdown>
          </Menu>
        )}
        <Button variant="subtle" color="gray" onClick={props.onFormat}>
          Format
        </Button>
      </span>
      <span className="grow" />
      {props.parameters.map(({ name, value }) => (
        <label key={name} className="sql-parameter">
          <span className="small t2">{name}</span>
          <TextInput
            aria-label={`Parameter ${name}`}
            value={value}
            placeholder="value"
            enterKeyHint="go"
            onChange={(e) => props.onParameter(name, e.currentTarget.value)}
            onKeyDown={(e) => {
              if (e.key !== "Enter" || e.nativeEvent.isComposing || props.busy) return;
              e.preventDefault();
              props.onRun();
            }}
          />
        </label>
      ))}
      {props.engines.length > 1 ? (
        <Select
          aria-label="Engine"
          className="sql-select"
          data={props.engines.map((e) => ({ value: e.id, label: e.title }))}
          value={props.engine}
          onChange={(v) => v && props.onEngine(v)}
          allowDeselect={false}
        />
      ) : (
        <span className="tag only-l">{props.engines[0]?.title}</span>
      )}
      <Select aria-label="Catalog and schema" className="sql-select only-l" placeholder="catalog.schema" data={props.places} value={props.place || null} onChange={(v) => props.onPlace(v ?? "")} searchable />
      <Select
        aria-label="Row limit"
        className="sql-select sql-limit"
        data={LIMITS.map((n) => ({ value: String(n), label: `Limit ${n.toLocaleString("en-GB")}` }))}
        value={String(props.limit)}
        onChange={(v) => v && props.onLimit(Number(v))}
        allowDeselect={false}
      />
      {props.session === null ? null : (
        <Button variant="subtle" color="gray" className="only-l" onClick={props.onSession}>
          {props.session ? `Session (${props.session})` : "Session"}
        </Button>
      )}
      <Button variant="subtle" color="gray" className="only-l" onClick={props.onSave}>
        Save
      </Button>
      <Menu position="bottom-end" shadow="md">
        <Menu.Target>
          <Button variant="subtle" color="gray" aria-label="More">
            <Icon name="more" />
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="play" />} onClick={props.onRunAll}>
            Run all statements
          </Menu.Item>
          {(props.session === null ? [{ kind: "plan" as const, label: "Explain" }] : EXPLAINS).map(({ kind, label }) => (
            <Menu.Item key={kind} leftSection={<Icon name="model" />} onClick={() => props.onExplain(kind)}>
              {label}
            </Menu.Item>
          ))}
          {props.session === null ? null : (
            <Menu.Item leftSection={<Icon name="settings" />} onClick={props.onSession}>
              {sessionLabel(props.session)}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<Icon name="edit" />} onClick={props.onFormat}>
            Format
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<Icon name="refresh" />} rightSection={<span className="sql-key">Alt Shift T</span>} onClick={props.onReopen} disabled={!props.closed}>
            {props.closed ? `Reopen “${props.closed}”` : "Reopen the closed tab"}
          </Menu.Item>
          <Menu.Item leftSection={<Icon name="star" />} onClick={props.onSave}>
            Save query
          </Menu.Item>
          <Menu.Item leftSection={<Icon name="history" />} onClick={props.onLibrary}>
            Saved queries and history
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}
