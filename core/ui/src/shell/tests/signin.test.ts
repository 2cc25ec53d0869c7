import { expect, test } from "vitest";
import { untilSaid } from "../Ending";
import { leaves, loginAddress, safeNext } from "../next";
import { takeProblem } from "../problem";

test("the end of a session is said ten minutes before", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  expect(untilSaid("2026-01-01T13:00:00Z", now)).toBe(50 * 60_000);
  expect(untilSaid("2026-01-01T12:10:00Z", now)).toBe(0);
  expect(untilSaid("2026-01-01T11:00:00Z", now)).toBe(0);
});

test.each(["//evil.example", "/\\evil.example", "https://evil.example", "/auth/callback?code=x", "/signin?next=/a", "/\tx"])(
  "a sign-in does not lead to %j",
  (next) => {
    expect(safeNext(`?next=${encodeURIComponent(next)}`)).toBe("/");
    expect(loginAddress("/auth/login", next)).toBe("/auth/login?next=%2F");
  },
);

test("a sign-in leads back to where it was asked for", () => {
  expect(loginAddress("/auth/login", "/x/trino/sql?query=1")).toBe("/auth/login?next=%2Fx%2Ftrino%2Fsql%3Fquery%3D1");
});

test("a sign-in leads on to an app, by the server", () => {
  const next = "/auth/app?app=wiki&state=0&next=%2F";
  expect(safeNext(`?next=${encodeURIComponent(next)}`)).toBe(next);
  expect([next, "/apps/wiki/x", "/app/wiki", "/auth/apple", "/"].map(leaves)).toEqual([true, true, false, false, false]);
});

test("the problem of a document is taken once, and a broken one is none", () => {
  const place = (content: string): void => {
    const meta = document.createElement("meta");
    meta.name = "openlakes-problem";
    meta.content = content;
    document.head.append(meta);
  };
  place(JSON.stringify({ title: "The sign-in was refused", detail: "It was used already.", status: 400 }));
  expect(takeProblem()?.message).toBe("It was used already.");
  expect(takeProblem()).toBeNull();
  place("{");
  expect(takeProblem()).toBeNull();
});
