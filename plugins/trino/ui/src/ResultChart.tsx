import { Chart, EmptyState, Select, type ChartKind, type ChartPoint } from "@openlakes/ui";
import { useMemo, useState, type ReactElement } from "react";
import { isNumeric, type ArrowRows } from "./arrow";

const MOST = 2000;

/** A quick look at the result: bars, a line or points, of the first rows. */
export function ResultChart({ rows }: { rows: ArrowRows }): ReactElement {
  const names = rows.fields.map((f) => f.name);
  const numeric = rows.fields.flatMap((f, i) => (isNumeric(f.type) ? [i] : []));
  const texts = rows.fields.flatMap((f, i) => (isNumeric(f.type) ? [] : [i]));
  const firstText = texts[0] ?? -1;
  const [kind, setKind] = useState<ChartKind>("bar");
  const [x, setX] = useState<number>(firstText >= 0 ? firstText : 0);
  const [y, setY] = useState<number>(numeric.find((i) => i !== (firstText >= 0 ? firstText : 0)) ?? numeric[0] ?? -1);
  const [series, setSeries] = useState<number>(() => (texts[1] !== undefined && repeats(rows, firstText) ? texts[1] : -1));
  const stacked = kind === "bar" && series < 0 && repeats(rows, x);
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
        {choice("Series", series, setSeries, all, true)}
      </div>
      <Chart label={`${names[y] ?? ""} by ${names[x] ?? ""}`} kind={kind} points={points} xLabel={names[x]} yLabel={names[y]} />
      {stacked ? <p className="small warn">Several rows have the same {names[x]}: their bars lie on one another. Choose a series, or group by it in the query.</p> : null}
      {rows.length > MOST ? <p className="small warn">The first {MOST.toLocaleString("en-GB")} rows are drawn.</p> : null}
    </div>
  );
}

/** Whether a value stands in more than one of the rows that are drawn. */
function repeats(rows: ArrowRows, column: number): boolean {
  const seen = new Set<string | null | undefined>();
  for (let row = 0; row < Math.min(rows.length, MOST); row += 1) {
    const text = rows.text(row, column);
    if (seen.has(text)) return true;
    seen.add(text);
  }
  return false;
}
