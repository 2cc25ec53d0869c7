import { describe, expect, it } from "vitest";
import { changesOf, markOf, queryOf, sentenceOf, stateWords, type AuditRecord, type AuditState } from "../audit/words";
import { countStates, type Component } from "../health";
import { bySection, matches, written, type Setting } from "../SettingsTable";

const record = (change: Partial<AuditRecord>): AuditRecord => ({
  id: 1, at: "2026-11-25T12:00:00Z", actor: "i#s", actor_name: "dana", action: "acme.drop", object: "t1", phase: "event", result: "ok", request_id: "r", address: null, details: {}, session: null, writer: "w", seq: 1, hash: "h", ...change,
});

describe("an audit record", () => {
  it.each([
    [{ action: "core.session.started", object: "0a1b" }, "signed in", ""],
    [{ action: "core.access.denied", object: "GET /api/plugins" }, "was refused", "GET /api/plugins"],
    [{ action: "core.action.run", phase: "intent" as const }, "is about to run", "t1"],
    [{ action: "core.action.run", phase: "outcome" as const }, "ran", "t1"],
    [{ object: "acme.drop", phase: "outcome" as const }, "ran", "acme.drop"],
    [{}, "acme.drop", "t1"],
    [{ action: "core.role.create", phase: "outcome" as const, result: "refused: 409 Conflict" }, "could not make the role", "t1"],
    [{ action: "core.role.create", phase: "intent" as const, result: "started" }, "is about to make the role", "t1"],
  ])("%j reads as %s %s", (change, verb, object) => expect(sentenceOf(record(change))).toEqual({ verb, object }));

  it.each([
    [{ phase: "outcome" as const, result: "done: 200" }, "success"],
    [{ phase: "outcome" as const, result: "failed: 502" }, "failed"],
    [{ phase: "intent" as const, result: "started" }, "queued"],
    [{ action: "core.access.denied", result: "core:plugin:read" }, "failed"],
  ])("%j is marked %s", (change, state) => expect(markOf(record(change)).state).toBe(state));
});

describe("what an audit record changed", () => {
  it("stands field by field, with what is new and what is gone", () =>
    expect(changesOf({ before: { name: "a", roles: ["x", "y"], gone: 1 }, after: { name: "a", roles: ["x"], made: true }, upstream_id: "q" })).toEqual([
      { field: "name", before: "a", after: "a", changed: false },
      { field: "roles", before: "x, y", after: "x", changed: true },
      { field: "gone", before: "1", after: "", changed: true },
      { field: "made", before: "", after: "true", changed: true },
    ]));
  it("is nothing where nothing was said", () => expect(changesOf({ dry_run: "true" })).toEqual([]));
});

describe("how the audit log stands", () => {
  const state = (change: Partial<AuditState>): AuditState => ({ covered: 12, uncovered: 0, statement: 3, statement_at: null, archived: 0, broken: [], waiting: {}, failing: {}, ...change });
  it.each([
    [{}, "success", "12 records are covered by statement 3"],
    [{ uncovered: 4 }, "success", "12 records are covered by statement 3, 4 newer not yet"],
    [{ statement: 0 }, "queued", "No statement covers the log yet"],
    [{ broken: [{ writer: "0123456789", seq: 7, why: "the record was changed" }] }, "failed", "Does not hold: the record was changed, at record 7 of writer 01234567"],
  ])("%j", (change, mark, text) => expect(stateWords(state(change))).toEqual({ mark, text }));
});

it("a filter of the audit log asks for times in UTC and leaves out what is no time", () => {
  const query = queryOf(new URLSearchParams({ actor: "dana", since: "2026-11-25T12:00:00Z", until: "soon", record: "7" }));
  expect(query.toString()).toBe("actor=dana&since=2026-11-25T12%3A00%3A00.000Z&phase=last");
  expect(queryOf(new URLSearchParams({ phase: "all" })).toString()).toBe("");
  expect(queryOf(new URLSearchParams({ request_id: "r" })).toString()).toBe("request_id=r");
});

describe("settings", () => {
  const setting = (key: string, value: unknown, source = "default", secret = false): Setting => ({ key, value, source, description: "Meaning", secret });
  const all = [setting("server.port", 80, "environment"), setting("server.title", "Lake"), setting("database.url", "hunter2", "file", true)];
  it("stand in sections, in the order given", () => expect(bySection(all).map(([name, own]) => [name, own.length])).toEqual([["server", 2], ["database", 1]]));
  it("are found by value, but never by a secret's", () => {
    expect(all.filter((s) => matches(s, "lake", false)).map((s) => s.key)).toEqual(["server.title"]);
    expect(all.filter((s) => matches(s, "hunter2", false))).toEqual([]);
  });
  it("can be only those that somebody set", () => expect(all.filter((s) => matches(s, "", true))).toHaveLength(2));
  it("are written plainly", () => expect([written("a b"), written(""), written(["x"]), written(true)]).toEqual(["a b", '""', '["x"]', "true"]));
});

it("counts components by state", () => {
  const component = (id: string, state: string): Component => ({ id, plugin: "core", title: id, state, cause: null, remedy: null, since: "", checked_at: null, details: {} });
  expect([...countStates([component("a", "healthy"), component("b", "down"), component("c", "healthy")])]).toEqual([["healthy", 2], ["down", 1]]);
});
