import { Chart, EmptyState, Select, type ChartKind } from "@openlakes/ui";
import { useMemo, useState, type ReactElement } from "react";
import { isNumeric, type ArrowRows } from "./arrow";
import { chartPoints, MOST_READ, sourceWords } from "./chart-points";
import type { Query } from "./types";

/** Series that are told apart by colour. */
const FEW = 8;

type Props = { rows: ArrowRows; query: Pick<Query, "total_rows" | "truncated"> | null };

/** A quick look at the result: bars, a line or points. */
export function ResultChart({ rows, query }: Props): ReactElement {
  const names = rows.fields.map((f) => f.name);
  const numeric = rows.fields.flatMap((f, i) => (isNumeric(f.type) ? [i] : []));
  const texts = rows.fields.flatMap((f, i) => (isNumeric(f.type) ? [] : [i]));
  const firstText = texts[0] ?? -1;
  const [kind, setKind] = useState<ChartKind>("bar");
  const [x, setX] = useState<number>(firstText >= 0 ? firstText : 0);
  const [y, setY] = useState<number>(numeric.find((i) => i !== (firstText >= 0 ? firstText : 0)) ?? numeric[0] ?? -1);
  const [series, setSeries] = useState<number>(() => firstSeries(rows, texts));
  const read = Math.min(rows.length, MOST_READ);
  const points = useMemo(() => chartPoints(rows, read, { x, y, series }), [rows, read, x, y, series]);
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
      <p className="small t3">{sourceWords(points.length, rows.length, query?.total_rows ?? null, query?.truncated ?? false)}</p>
    </div>
  );
}

/** How many values a column has in the first rows. */
function distinct(rows: ArrowRows, column: number): { values: number; rows: number } {
  const seen = new Set<string | null | undefined>();
  const looked = Math.min(rows.length, 2000);
  for (let row = 0; row < looked; row += 1) seen.add(rows.text(row, column));
  return { values: seen.size, rows: looked };
}

/** A second text column parts the bars of the first one into series, where that stays a picture. */
function firstSeries(rows: ArrowRows, [first, second]: number[]): number {
  if (first === undefined || second === undefined) return -1;
  const across = distinct(rows, first);
  return across.values < across.rows && distinct(rows, second).values <= FEW ? second : -1;
}
