// From a result to a chart's points. Reading is bounded too: the page must answer while it reads.
import { formatNumber, plural, type ChartPoint } from "@openlakes/ui";
import { isNumeric, type ArrowRows } from "./arrow";

/** Rows that are read for a chart: enough for a picture, and read in a fraction of a second. */
export const MOST_READ = 100_000;

export type Columns = { x: number; y: number; series: number };

export function chartPoints(rows: ArrowRows, read: number, { x, y, series }: Columns): ChartPoint[] {
  if (y < 0) return [];
  const field = rows.fields[x];
  const numericX = field ? isNumeric(field.type) : false;
  return Array.from({ length: read }, (_, row) => ({
    x: numericX ? rows.number(row, x) : (rows.text(row, x) ?? "NULL"),
    y: rows.number(row, y),
    series: series >= 0 ? (rows.text(row, series) ?? "NULL") : undefined,
  }));
}

/** "Drawn from 10,000 rows, the first of 336,776." */
export function sourceWords(read: number, held: number, total: number | null, more: boolean): string {
  const all = total ?? held;
  if (all > read) return `Drawn from ${plural(read, "row")}, the first of ${formatNumber(all)}${total === null && more ? " or more" : ""}.`;
  return `Drawn from ${plural(read, "row")}${more ? "; the query has more" : ""}.`;
}
