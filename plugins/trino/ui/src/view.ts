// How a result is looked at: sorted and filtered in this browser, over an index of rows; the rows themselves stay.
import { useEffect, useMemo, useState } from "react";
import { isNumeric, type ArrowRows } from "./arrow";

export type Sort = { column: number; descending: boolean } | null;

const SLICE = 20_000;

/** Rows that hold the text in any column, or all of them; then sorted. NULL comes last either way. */
export async function buildIndex(rows: ArrowRows, sort: Sort, filter: string, stopped: () => boolean): Promise<Uint32Array | null> {
  const wanted = filter.trim().toLowerCase();
  if (!sort && !wanted) return null;
  const kept: number[] = [];
  for (let row = 0; row < rows.length; row += 1) {
    if (row % SLICE === SLICE - 1) {
      await new Promise((resolve) => setTimeout(resolve));
      if (stopped()) return null;
    }
    if (!wanted || rows.fields.some((_, c) => rows.text(row, c)?.toLowerCase().includes(wanted))) kept.push(row);
  }
  const index = Uint32Array.from(kept);
  if (!sort) return index;
  const type = rows.fields[sort.column]?.type;
  const sign = sort.descending ? -1 : 1;
  if (type && isNumeric(type)) {
    const scale = "scale" in type ? Number(type.scale) : 0;
    const lossy = (value: number): boolean => Math.abs(value) * 10 ** scale >= 2 ** 53 && Number.isFinite(value);
    const keys = Float64Array.from({ length: rows.length }, (_, row) => rows.number(row, sort.column));
    return index.sort((a, b) => {
      const [x, y] = [keys[a] ?? Number.NaN, keys[b] ?? Number.NaN];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
      if (x !== y) return (x - y) * sign;
      return (lossy(x) ? byDigits(rows, sort.column, a, b) * sign : 0) || a - b;
    });
  }
  const keys = Array.from({ length: rows.length }, (_, row) => rows.text(row, sort.column) ?? null);
  return index.sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (x === y) return a - b;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return (x < y ? -1 : 1) * sign;
  });
}

/** Two numbers that are one as doubles: their digits decide (64-bit integers, decimals of one scale). */
function byDigits(rows: ArrowRows, column: number, a: number, b: number): number {
  const [x, y] = [rows.text(a, column) ?? "", rows.text(b, column) ?? ""];
  if (x === y || /[^\d.-]/.test(x + y)) return 0;
  const [m, n] = [BigInt(x.replace(".", "")), BigInt(y.replace(".", ""))];
  return m === n ? 0 : m < n ? -1 : 1;
}

export function useIndex(rows: ArrowRows, complete: boolean, sort: Sort, filter: string): { index: Uint32Array | null; working: boolean } {
  const [state, setState] = useState<{ index: Uint32Array | null; working: boolean }>({ index: null, working: false });
  const asked = useMemo(() => ({ sort, filter: filter.trim() }), [sort, filter]);
  const length = complete ? rows.length : 0;
  useEffect(() => {
    let stopped = false;
    if (!asked.sort && !asked.filter) {
      setState({ index: null, working: false });
      return undefined;
    }
    setState((s) => ({ ...s, working: true }));
    void buildIndex(rows, asked.sort, asked.filter, () => stopped).then((index) => {
      if (!stopped) setState({ index, working: false });
    });
    return () => {
      stopped = true;
    };
  }, [rows, length, asked]);
  return state;
}
