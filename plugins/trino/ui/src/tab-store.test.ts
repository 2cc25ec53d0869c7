import { describe, expect, it } from "vitest";
import { MOST, newTab, parseStored, withClosed, withOpened, withReopened, type Stored } from "./tab-store";

const idle = (): boolean => false;
const open = (...texts: string[]): Stored => {
  const tabs = texts.map((sql) => newTab({ sql }));
  return { tabs, active: tabs[0]?.id ?? "", closed: [] };
};
const texts = (s: Stored): string[] => s.tabs.map((t) => t.sql);

describe("a closed tab", () => {
  it("is back where it stood, and on top", () => {
    const before = open("a", "b", "c");
    const closed = withClosed(before, before.tabs[1]?.id ?? "");
    expect([texts(closed), closed.closed[0]?.title]).toEqual([["a", "c"], "Untitled 2"]);
    const after = withReopened(closed, idle);
    expect([texts(after), after.active, after.closed]).toEqual([["a", "b", "c"], before.tabs[1]?.id, []]);
  });
  it("comes back one after the other, the last closed first; one is asked for by its id", () => {
    let s = open("a", "b", "c");
    const [a, b] = s.tabs;
    s = withClosed(withClosed(s, a?.id ?? ""), b?.id ?? "");
    expect(texts(withReopened(s, idle))).toEqual(["b", "c"]);
    expect(texts(withReopened(s, idle, a?.id))).toEqual(["a", "c"]);
    expect(texts(withReopened(withReopened(s, idle), idle))).toEqual(["a", "b", "c"]);
  });
  it("takes the place of the empty one that came when it was the last", () => {
    const before = open("a");
    const closed = withClosed(before, before.active);
    expect(texts(closed)).toEqual([""]);
    expect(texts(withReopened(closed, idle))).toEqual(["a"]);
  });
  it("is nothing to keep when it is empty", () => {
    const before = open("a", " \n");
    expect(withClosed(before, before.tabs[1]?.id ?? "").closed).toEqual([]);
  });
  it("is kept also when it made room for one more", () => {
    let s = open(...Array.from({ length: MOST }, (_, i) => `q${i}`));
    s = withOpened(s, newTab({ sql: "new" }), (id) => id === s.tabs[0]?.id);
    expect([s.tabs.length, texts(s)[0], s.closed[0]?.tab.sql]).toEqual([MOST, "q0", "q1"]);
  });
  it("outlives the page with the others; a damaged store is begun anew", () => {
    const before = open("a", "b");
    const closed = withClosed(before, before.active);
    expect(parseStored(JSON.stringify(closed))).toEqual(closed);
    expect(texts(parseStored("{"))).toEqual([""]);
    expect(parseStored(JSON.stringify({ tabs: before.tabs, active: "gone" })).active).toBe(before.tabs[0]?.id);
  });
});
