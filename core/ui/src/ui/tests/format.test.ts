import { describe, expect, it } from "vitest";
import { csvField, toCsv } from "../csv";
import { retryDelay, parseEvent } from "../events";
import { formatAgo, formatBytes, formatCount, formatDuration, formatNumber, formatUtc, pick, plural, pluralOf } from "../format";

const NOW = new Date("2026-11-25T12:00:00Z");
const before = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);

describe("formats", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1500, "1.5 kB"],
    [123_456_789, "123 MB"],
    [-2_000_000, "-2.0 MB"],
  ])("writes %d bytes as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.0042, "4 ms"],
    [0.5, "0.50 s"],
    [1.23, "1.2 s"],
    [59.6, "60 s"],
    [72, "1 min 12 s"],
    [3700, "1 h 1 min"],
    [90_000, "1 d 1 h"],
  ])("writes %d seconds as %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it.each([
    [2, "now"],
    [42, "42 s ago"],
    [150, "2 min ago"],
    [7300, "2 h ago"],
    [200_000, "2 d ago"],
    [-60, "in 1 min"],
  ])("tells what was %d seconds ago as %s", (seconds, text) => expect(formatAgo(before(seconds), NOW)).toBe(text));

  it("tells the exact time in UTC", () => expect(formatUtc(NOW)).toBe("2026-11-25 12:00:00 UTC"));
  it("groups digits", () => expect(formatNumber(1_234_567.891)).toBe("1,234,567.89"));
  it.each([[999, "999"], [1500, "1.5 k"], [336_776, "337 k"], [2_400_000, "2.4 M"]])("shortens %d to %s", (count, text) =>
    expect(formatCount(count)).toBe(text),
  );
});

describe("a dotted path of a declared page", () => {
  const data = { summary: { rows: [1, 2], "": 3 }, none: null };
  it("finds a value", () => expect(pick(data, "summary.rows")).toEqual([1, 2]));
  it("goes into lists by index", () => expect(pick(data, "summary.rows.1")).toBe(2));
  it("is nothing where there is nothing", () => expect(pick(data, "none.deeper.still")).toBeUndefined());
});

describe("CSV", () => {
  it("does not let a spreadsheet take text for a formula", () => expect(csvField("=SUM(A1)")).toBe("'=SUM(A1)"));
  it("leaves negative numbers alone", () => expect(csvField("-12.5")).toBe("-12.5"));
  it("tells NULL from empty", () => expect(toCsv(["a", "b"], [[null, ""]])).toBe('a,b\r\n,""'));
  it("quotes what needs it", () => expect(csvField('a "b",\nc')).toBe('"a ""b"",\nc"'));
});

describe("a stream", () => {
  it("waits longer after each failure, 30 s at most", () => expect([0, 1, 2, 3, 4, 9].map(retryDelay)).toEqual([2, 4, 8, 16, 30, 30]));
  it("reads JSON, and text that is none", () => {
    expect(parseEvent('{"a":1}')).toEqual({ a: 1 });
    expect(parseEvent("plain line")).toBe("plain line");
  });
});

it("counts one of a thing in the singular", () => {
  expect([plural(0, "row"), plural(1, "row"), plural(336_776, "row"), plural(2, "entry", "entries")]).toEqual(["0 rows", "1 row", "336,776 rows", "2 entries"]);
  expect([pluralOf(0, 1, "row"), pluralOf(16, 336_776, "row")]).toEqual(["0 of 1 row", "16 of 336,776 rows"]);
});
