// The catalog tree: what this person may see, asked when it is opened; found by name; names to copy and insert.
import { ActionIcon, formatCount, Icon, Loaded, Menu, TextInput, toast, useApi } from "@openlakes/ui";
import { useState, type ReactElement, type ReactNode } from "react";
import { paths } from "./client";
import type { Named, Page, TableDetail, TableEntry } from "./types";

type Actions = { onInsert: (text: string) => void; onSample: (catalog: string, schema: string, table: string) => void };
type Props = { engine: string; catalog: string | null; schema: string | null } & Actions;

export const quoted = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

export function Tree({ engine, catalog, schema, ...actions }: Props): ReactElement {
  const [find, setFind] = useState("");
  const catalogs = useApi<Page<Named>>(paths.catalogs(engine));
  return (
    <div className="sql-tree">
      <TextInput aria-label="Find a table or column" placeholder="Find a table or column" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
      <div className="sql-tree-scroll">
        <Loaded query={catalogs} rows={6}>
          {({ items }) => (
            <>
              {items.length === 0 ? <p className="t2 small panel-body">No catalog may be read with your role.</p> : null}
              {items.map(({ name }) => (
                <Branch key={name} icon="database" label={name} level={1} open={name === catalog || items.length === 1 || find !== ""}>
                  <Schemas engine={engine} catalog={name} opened={schema} find={find.trim().toLowerCase()} {...actions} />
                </Branch>
              ))}
            </>
          )}
        </Loaded>
      </div>
    </div>
  );
}

function Branch(props: {
  icon?: string;
  label: string;
  level: number;
  open?: boolean;
  tag?: ReactNode;
  menu?: ReactNode;
  children: ReactNode;
}): ReactElement {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? props.open ?? false;
  return (
    <>
      <div className="sql-node" style={{ paddingLeft: 4 + (props.level - 1) * 16 }}>
        <button type="button" className="sql-open" aria-expanded={open} onClick={() => setChosen(!open)}>
          <Icon name={open ? "down" : "right"} className="sql-arrow" />
          {props.icon ? <Icon name={props.icon} /> : null}
          <span className="sql-node-name">{props.label}</span>
        </button>
        {props.menu}
        {props.tag === undefined ? null : <span className="tag">{props.tag}</span>}
      </div>
      {open ? props.children : null}
    </>
  );
}

function Schemas({ engine, catalog, opened, find, ...actions }: { engine: string; catalog: string; opened: string | null; find: string } & Actions): ReactElement {
  const schemas = useApi<Page<Named>>(paths.schemas(engine, catalog));
  return (
    <Loaded query={schemas} rows={2}>
      {({ items }) => (
        <>
          {items.map(({ name }) => (
            <Branch key={name} label={name} level={2} open={name === opened || items.length === 1 || find !== ""}>
              <TablesOf engine={engine} catalog={catalog} schema={name} find={find} {...actions} />
            </Branch>
          ))}
        </>
      )}
    </Loaded>
  );
}

const SHOWN = 200;

function TablesOf({ engine, catalog, schema, find, ...actions }: { engine: string; catalog: string; schema: string; find: string } & Actions): ReactElement {
  const tables = useApi<Page<TableEntry>>(paths.tables(engine, catalog, schema));
  return (
    <Loaded query={tables} rows={4}>
      {({ items }) => {
        const small = items.length <= 30;
        const few = items.length <= 20;
        const named = items.filter((t) => !find || small || t.name.toLowerCase().includes(find));
        return (
          <>
            {named.slice(0, SHOWN).map((table) => (
              <TableNode key={table.name} engine={engine} catalog={catalog} schema={schema} table={table} find={find} counted={few} {...actions} />
            ))}
            {named.length > SHOWN ? <p className="t3 small sql-more">{named.length - SHOWN} more: find them by name</p> : null}
            {items.length === 0 ? <p className="t3 small sql-more">No tables</p> : null}
          </>
        );
      }}
    </Loaded>
  );
}

function TableNode({ engine, catalog, schema, table, find, counted, onInsert, onSample }: {
  engine: string;
  catalog: string;
  schema: string;
  table: TableEntry;
  find: string;
  counted: boolean;
} & Actions): ReactElement | null {
  const name = [catalog, schema, table.name].map(quoted).join(".");
  const byName = find !== "" && table.name.toLowerCase().includes(find);
  const detail = useApi<TableDetail>(counted || (find !== "" && !byName) ? paths.table(engine, catalog, schema, table.name) : null);
  const byColumn = find !== "" && (detail.data?.columns.some((c) => c.name.toLowerCase().includes(find)) ?? false);
  if (find !== "" && !byName && !byColumn) return null;
  const rows = table.rows ?? detail.data?.rows ?? null;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(name);
    toast("ok", `${name} is in the clipboard.`);
  };
  return (
    <Branch
      icon="table"
      label={table.name}
      level={3}
      open={byColumn}
      tag={rows === null ? undefined : formatCount(rows)}
      menu={
        <Menu position="bottom-start" shadow="md" width={180}>
          <Menu.Target>
            <ActionIcon size="sm" variant="subtle" color="gray" className="sql-node-menu" aria-label={`Actions on ${table.name}`}>
              <Icon name="more" />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<Icon name="table" />} onClick={() => onSample(catalog, schema, table.name)}>
              Sample 100 rows
            </Menu.Item>
            <Menu.Item leftSection={<Icon name="edit" />} onClick={() => onInsert(name)}>
              Insert name
            </Menu.Item>
            <Menu.Item leftSection={<Icon name="copy" />} onClick={() => void copy()}>
              Copy name
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      }
    >
      <Columns engine={engine} catalog={catalog} schema={schema} table={table.name} find={find} onInsert={onInsert} />
    </Branch>
  );
}

function Columns({ engine, catalog, schema, table, find, onInsert }: { engine: string; catalog: string; schema: string; table: string; find: string; onInsert: (text: string) => void }): ReactElement {
  const detail = useApi<TableDetail>(paths.table(engine, catalog, schema, table));
  return (
    <Loaded query={detail} rows={3}>
      {(data) => (
        <>
          {data.columns.map((column) => (
            <div key={column.name} className="sql-node sql-column" data-hit={(find !== "" && column.name.toLowerCase().includes(find)) || undefined}>
              <button type="button" className="sql-open" title={`Insert ${column.name}`} onClick={() => onInsert(quoted(column.name))}>
                <span className="sql-node-name">{column.name}</span>
              </button>
              <span className="tag" title={column.type}>
                {column.type.toLowerCase()}
              </span>
            </div>
          ))}
          {data.partitioned_by.length ? <p className="t3 small sql-more">partitioned by {data.partitioned_by.join(", ")}</p> : null}
        </>
      )}
    </Loaded>
  );
}
