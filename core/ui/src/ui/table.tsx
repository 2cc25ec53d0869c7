// A plain table: sorted by any column, filtered by text, copied and exported; for up to a few thousand rows.
import { TextInput } from "@mantine/core";
import { useMemo, useState, type ReactElement, type ReactNode } from "react";
import { toCsv } from "./csv";
import { plural, pluralOf } from "./format";
import { Icon } from "./icons";
import "./table.css";

export type TableColumn<Row> = {
  id: string;
  label: string;
  numeric?: boolean;
  /** What sorting, filtering and export see. */
  value: (row: Row) => unknown;
  render?: (row: Row) => ReactNode;
  width?: string;
  /** Left out on a narrow screen. */
  wide?: boolean;
};

type Props<Row> = {
  label: string;
  columns: TableColumn<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  empty?: ReactNode;
  tools?: boolean;
  onRow?: (row: Row) => void;
};

export function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null || a === undefined) return 1;
  if (b === null || b === undefined) return -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

export function Table<Row>({ label, columns, rows, rowKey, empty, tools, onRow }: Props<Row>): ReactElement {
  const [sort, setSort] = useState<{ id: string; down: boolean } | null>(null);
  const [text, setText] = useState("");
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    const kept = wanted
      ? rows.filter((row) => columns.some((c) => String(c.value(row) ?? "").toLowerCase().includes(wanted)))
      : rows;
    const column = columns.find((c) => c.id === sort?.id);
    if (!column || !sort) return kept;
    return [...kept].sort((a, b) => compare(column.value(a), column.value(b)) * (sort.down ? -1 : 1));
  }, [rows, columns, sort, text]);
  const toggle = (id: string): void => setSort((s) => (s?.id !== id ? { id, down: false } : s.down ? null : { id, down: true }));
  return (
    <>
      {tools ? (
        <div className="table-tools">
          <TextInput aria-label={`Filter ${label}`} placeholder="Filter" value={text} onChange={(e) => setText(e.currentTarget.value)} />
          <span className="grow" />
          <span className="small t3">
            {shown.length === rows.length ? plural(rows.length, "row") : pluralOf(shown.length, rows.length, "row")}
          </span>
          <button type="button" className="link-button" onClick={() => exportCsv(label, columns, shown)}>
            <Icon name="download" /> CSV
          </button>
        </div>
      ) : null}
      {shown.length === 0 ? (
        (empty ?? <p className="table-empty t2">{rows.length ? "No row matches the filter." : "Nothing here yet."}</p>)
      ) : (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        <div className="scroll-x" role="region" aria-label={`${label}, table`} tabIndex={0}>
          <table className="plain">
            <thead>
              <tr>
                {columns.map((c) => (
                  <th
                    key={c.id}
                    className={classes(c)}
                    style={{ width: c.width }}
                    aria-sort={sort?.id === c.id ? (sort.down ? "descending" : "ascending") : undefined}
                  >
                    <button type="button" className="sort" onClick={() => toggle(c.id)}>
                      {c.label}
                      <span aria-hidden="true">{sort?.id === c.id ? (sort.down ? " ↓" : " ↑") : ""}</span>
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row) => (
                <tr key={rowKey(row)} onClick={onRow ? () => onRow(row) : undefined} className={onRow ? "clickable" : undefined}>
                  {columns.map((c) => (
                    <td key={c.id} className={classes(c)}>
                      {c.render ? c.render(row) : String(c.value(row) ?? "")}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

const classes = (column: { numeric?: boolean; wide?: boolean }): string | undefined =>
  [column.numeric ? "num" : "", column.wide ? "only-l" : ""].filter(Boolean).join(" ") || undefined;

function exportCsv<Row>(label: string, columns: TableColumn<Row>[], rows: Row[]): void {
  const text = toCsv(columns.map((c) => c.label), rows.map((row) => columns.map((c) => c.value(row))));
  saveAs(`${label}.csv`, new Blob([text], { type: "text/csv;charset=utf-8" }));
}

/** Hand a file to the browser. */
export function saveAs(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
