import { Button, CodeBlock, DataGrid, Icon, Modal, plural, pluralOf, TextInput, toast, type GridColumn } from "@openlakes/ui";
import { useCallback, useMemo, useState, type ReactElement } from "react";
import { isNumeric, type ArrowRows } from "./arrow";
import type { ColumnInfo } from "./types";
import { useIndex, type Sort } from "./view";

type Props = { rows: ArrowRows; version: number; columns: ColumnInfo[]; complete: boolean };

export function ResultGrid({ rows, version, columns, complete }: Props): ReactElement {
  const [sort, setSort] = useState<Sort>(null);
  const [filter, setFilter] = useState("");
  const [cell, setCell] = useState<{ name: string; text: string } | null>(null);
  const { index, working } = useIndex(rows, complete, sort, filter);
  const shown = useMemo<GridColumn[]>(
    () =>
      rows.fields.map((field, i) => ({
        name: field.name,
        type: columns[i]?.type ?? String(field.type),
        numeric: isNumeric(field.type),
        width: widthOf(rows, i, field.name, columns[i]?.type ?? ""),
        sorted: sort?.column === i ? (sort.descending ? "desc" : "asc") : undefined,
      })),
    // oxlint-disable-next-line react/exhaustive-deps -- the fields are there with the first version
    [rows, rows.length > 0, version > 0, columns, sort],
  );
  const at = useCallback((row: number, column: number) => rows.text(index ? (index[row] ?? -1) : row, column), [rows, index]);
  const header = (column: number): void =>
    setSort((s) => (s?.column !== column ? { column, descending: false } : s.descending ? null : { column, descending: true }));
  const copy = async (): Promise<void> => {
    const count = Math.min(index?.length ?? rows.length, 10_000);
    const lines = [shown.map((c) => c.name).join("\t")];
    for (let row = 0; row < count; row += 1) lines.push(shown.map((_, c) => (at(row, c) ?? "").replaceAll(/[\t\n\r]/g, " ")).join("\t"));
    await navigator.clipboard.writeText(lines.join("\n"));
    toast("ok", `${plural(count, "row")} ${count === 1 ? "is" : "are"} in the clipboard, tab-separated.`);
  };
  const count = index?.length ?? rows.length;
  return (
    <div className="sql-grid">
      <div className="sql-grid-tools">
        <TextInput aria-label="Find in rows" placeholder="Find in rows" value={filter} onChange={(e) => setFilter(e.currentTarget.value)} />
        <span className="small t3 nowrap" role="status">
          {working ? "looking" : index ? pluralOf(count, rows.length, "row") : ""}
        </span>
        <span className="grow" />
        <Button variant="subtle" leftSection={<Icon name="copy" />} onClick={() => void copy()} disabled={rows.length === 0}>
          Copy
        </Button>
      </div>
      <div className="sql-grid-body">
        <DataGrid
          label="Result"
          columns={shown}
          rowCount={count}
          cell={at}
          version={version}
          onHeader={header}
          onOpen={(row, column) => setCell({ name: shown[column]?.name ?? "", text: at(row, column) ?? "NULL" })}
        />
      </div>
      {cell ? (
        <Modal opened onClose={() => setCell(null)} title={cell.name} size="xl">
          <CodeBlock text={cell.text.slice(0, 1_000_000)} label={cell.name} />
        </Modal>
      ) : null}
    </div>
  );
}

const CHARACTER = 7.4;

/** As wide as what is in the first rows, within bounds. */
function widthOf(rows: ArrowRows, column: number, name: string, type: string): number {
  let longest = Math.max(name.length + 2, type.length * 0.9);
  for (let row = 0; row < Math.min(rows.length, 60); row += 1) longest = Math.max(longest, rows.text(row, column)?.length ?? 4);
  return Math.round(Math.min(380, Math.max(72, longest * CHARACTER + 26)));
}
