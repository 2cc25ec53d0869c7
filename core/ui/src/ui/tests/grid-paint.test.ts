// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { cellOf, GridPainter, type Scene } from "../grid-paint";

let scroller: HTMLElement;
let body: HTMLElement;
let painter: GridPainter;
const cell = vi.fn((row: number, column: number): string | null | undefined => (row === 1 ? null : row === 2 ? undefined : `r${row}c${column}`));
const layout = { boxes: [{ index: 0, start: 0, size: 120 }, { index: 1, start: 120, size: 120 }], columns: [{ name: "a" }, { name: "b", numeric: true }], offset: 52, width: 292 };
const scene: Scene = { id: "g", rowCount: 1_000_000, layout, cell, version: 0, active: [0, 0], range: { top: 0, bottom: 0, left: 0, right: 0 } };
const rows = (): HTMLElement[] => [...body.querySelectorAll<HTMLElement>(".grid-row:not([hidden])")].sort((a, b) => Number(a.getAttribute("aria-rowindex")) - Number(b.getAttribute("aria-rowindex")));

beforeEach(() => {
  cell.mockClear();
  scroller = document.createElement("div");
  body = document.createElement("div");
  scroller.append(body);
  Object.defineProperty(scroller, "clientHeight", { value: 42 + 260 });
  painter = new GridPainter(scroller, body);
  painter.show(scene);
});

describe("the body of the grid", () => {
  it("draws what is in sight and a little more, each cell asked for once", () => {
    expect(rows().map((r) => r.getAttribute("aria-rowindex")).slice(0, 2)).toEqual(["2", "3"]);
    expect(rows().length).toBeLessThan(25);
    expect(cell).toHaveBeenCalledTimes(rows().length * 2);
  });
  it("asks for nothing again that is drawn already", () => {
    cell.mockClear();
    painter.show({ ...scene, active: [3, 1], range: { top: 3, bottom: 3, left: 1, right: 1 } });
    expect(cell).not.toHaveBeenCalled();
    expect(body.querySelectorAll("[aria-selected=true]")).toHaveLength(1);
    expect(scroller.getAttribute("aria-activedescendant")).toBe("g-3-1");
    expect(body.querySelector("[data-active]")?.id).toBe("g-3-1");
  });
  it("goes round with its nodes, and shows the rows of the new place", () => {
    const nodes = new Set(body.querySelectorAll(".grid-row"));
    scroller.scrollTop = 26 * 500_000;
    painter.show(scene);
    expect(rows().some((r) => r.textContent === "500001r500000c0r500000c1")).toBe(true);
    expect([...body.querySelectorAll(".grid-row")].filter((r) => !nodes.has(r)).length).toBe(0);
    expect(scroller.hasAttribute("aria-activedescendant")).toBe(false);
  });
  it("tells NULL from what is not there yet, and draws it once it is", () => {
    expect(rows()[1]?.querySelector("[data-null]")?.textContent).toBe("NULL");
    expect(rows()[2]?.querySelector("[data-waiting]")?.textContent).toBe("");
    painter.show({ ...scene, version: 1, cell: (row, column) => `n${row}c${column}` });
    expect(body.querySelectorAll("[data-null], [data-waiting]")).toHaveLength(0);
    expect(rows()[2]?.textContent).toBe("3n2c0n2c1");
  });
  it("clips only what may not fit", () => {
    painter.show({ ...scene, version: 1, cell: (_, column) => (column ? "short" : "x".repeat(400)) });
    expect([...(rows()[0]?.querySelectorAll(".grid-cell") ?? [])].map((c) => c.hasAttribute("data-long"))).toEqual([true, false]);
    expect(rows()[0]?.querySelector(".grid-cell")?.textContent).toHaveLength(301);
  });
  it("hides what a filter leaves over", () => {
    painter.show({ ...scene, rowCount: 3 });
    expect(rows()).toHaveLength(3);
  });
  it("knows which cell was clicked", () => {
    expect(cellOf(rows()[4]?.querySelectorAll(".grid-cell")[1] ?? null)).toEqual([4, 1]);
    expect(cellOf(rows()[4] ?? null)).toBeNull();
  });
});
