import { expect, it } from "vitest";
import { chartPoints, sourceWords } from "./chart-points";
import { ArrowRows } from "./arrow";
import { rowsText } from "./ResultPane";
import { previewOf } from "./statements";
import { outcome } from "./types";
import { Float64, Table, Utf8, vectorFromArray } from "apache-arrow";

const told = (rows: number, truncated = false, total_rows: number | null = null, state: "finished" | "running" = "finished", counting = false): string => rowsText({ rows, truncated, total_rows, state, counting });

it("says how many rows there are, and of how many", () => {
  expect(told(1)).toBe("1 row, all of it");
  expect(told(16, false, 16)).toBe("16 rows, all of them");
  expect(told(10_000, true)).toBe("first 10,000 rows; there are more");
  expect(told(1, true)).toBe("first row; there are more");
  expect(told(10_000, true, 336_776)).toBe("first 10,000 of 336,776 rows");
  expect(told(10_000, true, null, "finished", true)).toBe("first 10,000 rows; counting the rest");
  expect(told(3, true, 3)).toBe("3 rows, the longest values cut");
  expect([told(0, false, null, "running"), told(1, false, null, "running")]).toEqual(["", "1 row so far"]);
  expect([outcome({ state: "finished", rows: 1 }), outcome({ state: "failed", rows: 0 })]).toEqual(["1 row", "failed"]);
});

it("says what a chart is drawn from", () => {
  expect(sourceWords(16, 16, 16, false)).toBe("Drawn from 16 rows.");
  expect(sourceWords(1, 1, null, false)).toBe("Drawn from 1 row.");
  expect(sourceWords(10_000, 10_000, 336_776, true)).toBe("Drawn from 10,000 rows, the first of 336,776.");
  expect(sourceWords(10_000, 10_000, null, true)).toBe("Drawn from 10,000 rows; the query has more.");
  expect(sourceWords(100_000, 1_000_000, null, true)).toBe("Drawn from 100,000 rows, the first of 1,000,000 or more.");
});

it("reads no more rows for a chart than it is asked to", () => {
  const rows = new ArrowRows();
  for (const batch of new Table({ c: vectorFromArray(["a", null, "b"], new Utf8()), n: vectorFromArray([1, 2.5, null], new Float64()) }).batches) rows.push(batch);
  expect(chartPoints(rows, 2, { x: 0, y: 1, series: -1 })).toEqual([{ x: "a", y: 1 }, { x: "NULL", y: 2.5 }]);
  expect(chartPoints(rows, 3, { x: 1, y: 1, series: 0 })[2]).toEqual({ x: Number.NaN, y: Number.NaN, series: "b" });
});

it("shows the beginning of a statement in a line", () => {
  expect(previewOf("-- flights\nSELECT *\n  FROM flights /* all */ WHERE a = '--x'")).toBe("SELECT * FROM flights WHERE a = '--x'");
  expect(previewOf(`SELECT ${"column, ".repeat(500)} 1`)).toHaveLength(200);
  expect(previewOf("-- only a note")).toBe("-- only a note");
});
