// Draws a page that a plugin declared in Python: no JavaScript of the plugin runs.
import { Button, Tabs } from "@mantine/core";
import { useState, type ReactElement, type ReactNode } from "react";
import { useSearchParams } from "react-router";
import { ActionDialog, ActionForm, type ActionInfo } from "./actions";
import { useApi } from "./api";
import { asRows, type BlockWire, type ColumnWire, type DeclaredWire } from "./blocks";
import { Chart } from "./chart";
import { Code } from "./code";
import { pick } from "./format";
import { Icon } from "./icons";
import { Panel } from "./layout";
import { LogView } from "./log";
import { Markdown } from "./markdown";
import { labelOf } from "./schema";
import { EmptyState, Loaded, Loading } from "./states";
import { Table } from "./table";
import { LinkedValue, Value, type ValueKind } from "./value";

type Around = { page: DeclaredWire; query: string };

/** The blocks of a page, one below the other; figures beside each other stand in one panel. */
export function DeclaredPage({ page }: { page: DeclaredWire }): ReactElement {
  const [parameters] = useSearchParams();
  const query = new URLSearchParams([...parameters].filter(([name]) => name !== "tab")).toString();
  return <Blocks blocks={page.body} around={{ page, query }} />;
}

function Blocks({ blocks, around }: { blocks: BlockWire[]; around: Around }): ReactElement {
  const groups: (BlockWire | Extract<BlockWire, { type: "stat" }>[])[] = [];
  for (const block of blocks) {
    const last = groups.at(-1);
    if (block.type === "stat" && Array.isArray(last)) last.push(block);
    else groups.push(block.type === "stat" ? [block] : block);
  }
  return (
    <div className="stack">
      {groups.map((group, i) =>
        Array.isArray(group) ? (
          <Panel key={i} label="Figures">
            <div className="facts">
              {group.map((stat) => (
                <Sourced key={stat.label} block={stat} around={around} rows={1}>
                  {(data) => (
                    <div className="fact">
                      <span>{stat.label}</span>
                      <b>
                        <Figure value={pick(data, stat.value)} stat={stat} />
                      </b>
                    </div>
                  )}
                </Sourced>
              ))}
            </div>
          </Panel>
        ) : (
          <Block key={i} block={group} around={around} />
        ),
      )}
    </div>
  );
}

/** A figure that nobody could tell is no NULL out of a table. */
function Figure({ value, stat }: { value: unknown; stat: { kind?: ValueKind; unit?: string } }): ReactElement {
  if (value === null || value === undefined) return <span className="t3">not known</span>;
  return <Value value={value} kind={stat.kind ?? "number"} unit={stat.unit} />;
}

/** The data of a block: its own source, else the page's. */
function Sourced({ block, around, rows, children }: {
  block: { source?: string };
  around: Around;
  rows?: number;
  children: (data: unknown) => ReactNode;
}): ReactElement {
  const source = block.source ?? around.page.source;
  const path = source && around.query ? `${source}?${around.query}` : source;
  const query = useApi<unknown>(path, { refresh: around.page.refresh });
  if (source === null) return <EmptyState title="This block has no source" />;
  return (
    <Loaded query={query} rows={rows}>
      {children}
    </Loaded>
  );
}

function Block({ block, around }: { block: BlockWire; around: Around }): ReactElement {
  switch (block.type) {
    case "text":
      return <p className="t2">{block.text}</p>;
    case "notice":
      return (
        <p className="notice" data-tone={block.tone}>
          <Icon name={NOTICE_ICONS[block.tone]} />
          {block.text}
        </p>
      );
    case "markdown":
      if (block.text !== undefined) return <Markdown text={block.text} />;
      return <Sourced block={block} around={around}>{(data) => <Markdown text={String(pick(data, block.value ?? "") ?? "")} />}</Sourced>;
    case "table":
      return (
        <Panel title={block.title}>
          <Sourced block={block} around={around}>{(data) => <DeclaredTable block={block} rows={asRows(pick(data, block.rows))} />}</Sourced>
        </Panel>
      );
    case "keyValue":
      return (
        <Panel title={block.title}>
          <Sourced block={block} around={around}>{(data) => <KeyValue fields={block.fields} value={pick(data, block.value)} />}</Sourced>
        </Panel>
      );
    case "chart":
      return (
        <Panel title={block.title}>
          <Sourced block={block} around={around}>
            {(data) => (
              <Chart
                label={block.title}
                kind={block.kind}
                unit={block.unit}
                points={asRows(pick(data, block.rows)).map((row) => ({
                  x: typeof row[block.x] === "number" ? (row[block.x] as number) : String(row[block.x] ?? ""),
                  y: Number(row[block.y]),
                  series: block.series ? String(row[block.series] ?? "") : undefined,
                }))}
              />
            )}
          </Sourced>
        </Panel>
      );
    case "code":
      return (
        <Panel title={block.title}>
          <Sourced block={block} around={around}>{(data) => <Code text={String(pick(data, block.value) ?? "")} language={block.language} title={block.title} />}</Sourced>
        </Panel>
      );
    case "timeline":
      return (
        <Panel title={block.title}>
          <Sourced block={block} around={around}>{(data) => <Timeline rows={asRows(pick(data, block.rows))} entry={block.entry} />}</Sourced>
        </Panel>
      );
    case "log":
      return <LogView title={block.title} stream={block.stream} />;
    case "form":
    case "actionButton":
      return <DeclaredAction block={block} />;
    case "grid":
      return (
        <div className="blocks-grid">
          {block.body.map((inner, i) => (
            <Blocks key={i} blocks={[inner]} around={around} />
          ))}
        </div>
      );
    case "tabs":
      return <DeclaredTabs block={block} around={around} />;
    default:
      return <EmptyState title="Unsupported block">This console is older than the plugin.</EmptyState>;
  }
}

const NOTICE_ICONS = { info: "info", ok: "check", warn: "warn", bad: "warn" };

/** As its author wrote it (`CPU`), else made of the field's name. */
const headingOf = (column: ColumnWire): string => column.label ?? labelOf(column.field.split(".").at(-1) ?? column.field, {});

const NUMERIC = new Set(["number", "bytes", "duration", "percent", "delta"]);

function DeclaredTable({ block, rows }: { block: Extract<BlockWire, { type: "table" }>; rows: Record<string, unknown>[] }): ReactElement {
  const numeric = (column: ColumnWire): boolean => NUMERIC.has(column.kind ?? "") || column.unit !== undefined;
  return (
    <Table<{ row: Record<string, unknown>; index: number }>
      label={block.title}
      tools={rows.length > 8}
      rows={rows.map((row, index) => ({ row, index }))}
      rowKey={({ index }) => String(index)}
      empty={<EmptyState title={block.empty} />}
      columns={block.columns.map((column) => ({
        id: column.field,
        label: headingOf(column),
        numeric: numeric(column),
        value: ({ row }) => pick(row, column.field),
        render: ({ row }) => {
          const value = pick(row, column.field);
          const shown = <Value value={value} kind={column.kind} unit={column.unit} />;
          return column.link && value !== null && value !== undefined ? (
            <LinkedValue path={column.link} name={column.field} value={value}>{shown}</LinkedValue>
          ) : (
            shown
          );
        },
      }))}
    />
  );
}

/** What is not there is left out: a thing without an end has no line for it. */
export function KeyValue({ fields, value }: { fields: ColumnWire[]; value: unknown }): ReactElement {
  return (
    <dl className="keyvalue">
      {fields.map((field) => {
        const found = pick(value, field.field);
        return found === null || found === undefined || found === "" ? null : (
          <div key={field.field} style={{ display: "contents" }}>
            <dt>{headingOf(field)}</dt>
            <dd>
              <Value value={found} kind={field.kind} unit={field.unit} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

export function Timeline({ rows, entry }: { rows: Record<string, unknown>[]; entry: { at: string; title: string; detail: string; state: string } }): ReactElement {
  if (rows.length === 0) return <EmptyState title="Nothing happened yet" />;
  return (
    <ol className="timeline">
      {rows.map((row, i) => (
        <li key={i}>
          <span className="small t3">
            <Value value={row[entry.at]} kind="time" />
          </span>
          <div>
            <p className="row wrap">
              {row[entry.state] === undefined ? null : <Value value={row[entry.state]} kind="status" />}
              <span className="b">{String(row[entry.title] ?? "")}</span>
            </p>
            {row[entry.detail] === undefined ? null : <p className="t2">{String(row[entry.detail])}</p>}
          </div>
        </li>
      ))}
    </ol>
  );
}

function DeclaredAction({ block }: { block: Extract<BlockWire, { type: "form" | "actionButton" }> }): ReactElement {
  const [open, setOpen] = useState(false);
  const [parameters] = useSearchParams();
  const actions = useApi<{ items: ActionInfo[] }>("/api/actions");
  const action = actions.data?.items.find((a) => a.id === block.action);
  if (!actions.data) return <Loading rows={1} />;
  if (!action) return <></>;
  if (block.type === "form")
    return (
      <Panel title={block.title ?? action.title}>
        <div className="panel-body">
          <ActionForm action={action} given={Object.fromEntries(parameters)} />
        </div>
      </Panel>
    );
  return (
    <div>
      <Button leftSection={<Icon name={action.icon} />} onClick={() => setOpen(true)}>
        {block.label ?? action.title}
      </Button>
      {open ? <ActionDialog action={action} given={Object.fromEntries(parameters)} onClose={() => setOpen(false)} /> : null}
    </div>
  );
}

function DeclaredTabs({ block, around }: { block: Extract<BlockWire, { type: "tabs" }>; around: Around }): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const open = parameters.get("tab") ?? block.tabs[0]?.label ?? null;
  return (
    <Tabs
      value={open}
      onChange={(tab) =>
        setParameters((old) => {
          old.set("tab", tab ?? "");
          return old;
        }, { replace: true })
      }
    >
      <Tabs.List mb="md">
        {block.tabs.map((tab) => (
          <Tabs.Tab key={tab.label} value={tab.label}>
            {tab.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {block.tabs.map((tab) => (
        <Tabs.Panel key={tab.label} value={tab.label}>
          {tab.label === open ? <Blocks blocks={tab.body} around={around} /> : null}
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
