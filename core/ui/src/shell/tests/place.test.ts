import { describe, expect, it } from "vitest";
import type { NavItem } from "../../ui/session";
import { longHex } from "../../theme/hex";
import { goTo, placeOf } from "../place";
import { safeNext } from "../next";

const item = (label: string, path: string): NavItem => ({ id: path, section: "", label, icon: "dot", path, order: 0 });
const NAV = [item("Home", "/"), item("Sources", "/x/acme"), item("Runs", "/x/acme/runs"), item("SQL", "/x/trino"), item("Settings", "/admin/settings")];

describe("the place of a page in the navigation", () => {
  it.each([
    ["/", "Home"],
    ["/x/acme", "Sources"],
    ["/x/acme/other", "Sources"],
    ["/x/acme/runs", "Runs"],
    ["/x/acme/runs/7", "Runs"],
    ["/x/acmeother", undefined],
  ])("of %s is %s", (path, label) => expect(placeOf(path, NAV)?.label).toBe(label));
});

describe("g and a letter", () => {
  it.each([["h", "/"], ["s", "/x/trino"], ["r", "/x/acme/runs"], ["z", undefined]])("%s opens %s", (letter, path) =>
    expect(goTo(letter, NAV)).toBe(path),
  );
});

describe("where to go after signing in", () => {
  it.each(["//evil.example", "https://evil.example", "/\\evil.example", "/signin", "javascript:alert(1)", "/a\nb", ""])("is not %j", (next) =>
    expect(safeNext(`?next=${encodeURIComponent(next)}`)).toBe("/"),
  );
  it("is the page that was asked for", () => expect(safeNext("?next=%2Fx%2Ftrino%3Fq%3D1")).toBe("/x/trino?q=1"));
});

it("gives Monaco six digits", () => {
  expect(longHex(" #fff")).toBe("#ffffff");
  expect(longHex("#0a6a6c")).toBe("#0a6a6c");
});
