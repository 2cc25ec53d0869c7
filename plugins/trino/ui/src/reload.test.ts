import { beforeEach, describe, expect, it } from "vitest";
import { isReloadKey, rememberRuns, takeRuns } from "./reload";

const key = (name: string, part: Partial<KeyboardEvent> = {}): Parameters<typeof isReloadKey>[0] => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, ...part });

beforeEach(() => sessionStorage.clear());

describe("a reload", () => {
  it("is announced by the keys that browsers have for it", () => {
    const reloads = [key("F5"), key("F5", { ctrlKey: true }), key("r", { ctrlKey: true }), key("R", { metaKey: true })];
    const others = [key("r"), key("w", { ctrlKey: true }), key("F4", { altKey: true }), key("r", { ctrlKey: true, altKey: true })];
    expect([reloads.map(isReloadKey), others.map(isReloadKey)]).toEqual([[true, true, true, true], [false, false, false, false]]);
  });
  it("takes up what ran, once", () => {
    rememberRuns("dana", [{ tab: "t1", query: "q1" }]);
    expect(takeRuns()).toEqual({ owner: "dana", runs: [{ tab: "t1", query: "q1" }] });
    expect(takeRuns()).toBeNull();
  });
  it("finds nothing where nothing ran, or what is kept is damaged", () => {
    rememberRuns("dana", [{ tab: "t1", query: "q1" }]);
    rememberRuns("dana", []);
    expect(takeRuns()).toBeNull();
    sessionStorage.setItem("openlakes.sql.running", "{");
    expect(takeRuns()).toBeNull();
  });
});
