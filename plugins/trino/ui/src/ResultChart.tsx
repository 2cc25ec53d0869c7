import { Chart, EmptyState, Select, type ChartKind, type ChartPoint } from "@openlakes/ui";
import { useMemo, useState, type ReactElement } from "react";
import { isNumeric, type ArrowRows } from "./arrow";

const MOST = 2000;

/** A quick look at the result: bars, a line or points, of the first rows. */
export function ResultChart({ rows }: { rows: ArrowRows }): ReactElement {
  const names = rows.fields.map((f) => f.name);
  const numeric = rows.fields.flatMap((f, i) => (isNumeric(f.type) ? [i] : []));
  const firstText = rows.fields.findIndex((f) => !isNumeric(f.type));
  const [kind, setKind] = useState<ChartKind>("bar");
  const [x, setX] = useState<number>(firstText >= 0 ? firstText : 0);
  const [y, setY] = useState<number>(numeric.find((i) => i !== (firstText >= 0 ? firstText : 0)) ?? numeric[0] ?? -1);
  const [series, setSeries] = useState<number>(-1);
  const points = useMemo<ChartPoint[]>(() => {
    if (y < 0) return [];
    const xNumeric = rows.fields[x] ? isNumeric(rows.fields[x].type) : false;
    return Array.from({ length: Math.min(rows.length, MOST) }, (_, row) => ({
      x: xNumeric ? rows.number(row, x) : (rows.text(row, x) ?? "NULL"),
      y: rows.number(row, y),
      series: series >= 0 ? (rows.text(row, series) ?? "NULL") : undefined,
    }));
  }, [rows, x, y, series]);
  if (numeric.length === 0) return <EmptyState title="There is no column of numbers to draw">Add a count or a sum to the query.</EmptyState>;
  const choice = (label: string, value: number, set: (i: number) => void, allowed: number[], none?: boolean): ReactElement => (
    <Select
      label={label}
      data={allowed.map((i) => ({ value: String(i), label: names[i] ?? "" }))}
      value={value >= 0 ? String(value) : null}
      onChange={(v) => set(v === null ? -1 : Number(v))}
      clearable={none}
      allowDeselect={none}
    />
  );
  const all = names.map((_, i) => i);
  return (
    <div className="sql-chart">
      <div className="row wrap">
        <Select
          label="Kind"
          data={[
            { value: "bar", label: "Bars" },
            { value: "line", label: "Line" },
            { value: "scatter", label: "Points" },
          ]}
          value={kind}
          onChange={(v) => setKind((v as ChartKind | null) ?? "bar")}
          allowDeselect={false}
        />
        {choice("Across", x, setX, all)}
        {choice("Up", y, setY, numeric)}
        {choice("One each", series, setSeries, all, true)}
      </div>
      <Chart label={`${names[y] ?? ""} by ${names[x] ?? ""}`} kind={kind} points={points} xLabel={names[x]} yLabel={names[y]} />
      {rows.length > MOST ? <p className="small warn">The first {MOST.toLocaleString("en-GB")} rows are drawn.</p> : null}
    </div>
  );
}
