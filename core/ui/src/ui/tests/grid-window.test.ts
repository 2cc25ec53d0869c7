import { describe, expect, it } from "vitest";
import { bodyHeight, copyText, drawnRows, MAX_HEIGHT, moveBy, rangeOf, revealRow, ROW } from "../grid-window";

const VIEW = 520;

describe("rows that are drawn", () => {
  it("are those in sight and a few around them", () => {
    const rows = drawnRows(1_000_000, 26_000, VIEW);
    expect(rows[0]?.index).toBe(992);
    expect(rows.at(-1)?.index).toBe(1028);
    expect(rows.every((r) => r.top === r.index * ROW)).toBe(true);
  });

  it("end with the last row at the bottom", () => {
    const rows = drawnRows(1_000_000, 1_000_000 * ROW - VIEW, VIEW);
    expect(rows.at(-1)?.index).toBe(999_999);
  });

  it("are none of an empty result", () => expect(drawnRows(0, 0, VIEW)).toEqual([]));

  it("reach the first and the last row where the browser bounds the height", () => {
    const count = 50_000_000;
    expect(bodyHeight(count)).toBe(MAX_HEIGHT);
    expect(drawnRows(count, 0, VIEW)[0]).toEqual({ index: 0, top: 0 });
    const end = drawnRows(count, MAX_HEIGHT - VIEW, VIEW).at(-1);
    expect(end?.index).toBe(count - 1);
    expect((end?.top ?? 0) + ROW).toBeCloseTo(MAX_HEIGHT, 3);
  });

  it.each([1000, 50_000_000])("contain the row that was revealed, of %d", (count) => {
    for (const row of [0, 499, 500, count - 1]) {
      const top = revealRow(row, count, 0, VIEW);
      const drawn = drawnRows(count, top, VIEW).find((r) => r.index === row);
      expect(drawn, `row ${row}`).toBeDefined();
      expect((drawn?.top ?? 0) - top).toBeGreaterThanOrEqual(-0.5);
      expect((drawn?.top ?? 0) + ROW - top).toBeLessThanOrEqual(VIEW + 0.5);
    }
  });

  it("stay where they are when the row is already in sight", () => expect(revealRow(105, 1000, 2600, VIEW)).toBe(2600));
});

describe("keys", () => {
  it("move and stop at the edges", () => {
    expect(moveBy("ArrowUp", false, [0, 0], 10, 3, 5)).toEqual([0, 0]);
    expect(moveBy("PageDown", false, [8, 1], 10, 3, 5)).toEqual([9, 1]);
    expect(moveBy("End", true, [0, 0], 10, 3, 5)).toEqual([9, 2]);
    expect(moveBy("x", false, [0, 0], 10, 3, 5)).toBeNull();
  });
});

describe("copying", () => {
  const cell = (row: number, column: number): string | null => (row === 1 ? null : `r${row}\tc${column}`);
  it("gives one cell as it is, tabs and all", () => expect(copyText(rangeOf([0, 0], [0, 0]), cell)).toBe("r0\tc0"));
  it("gives NULL as nothing", () => expect(copyText(rangeOf([1, 0], [1, 0]), cell)).toBe(""));
  it("gives a range as tab-separated text with its names", () =>
    expect(copyText(rangeOf([1, 1], [0, 0]), cell, ["a", "b"])).toBe("a\tb\nr0 c0\tr0 c1\n\t"));
});
