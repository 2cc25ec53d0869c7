import { describe, expect, it } from "vitest";
import { lookedAt } from "./RunPage";
import { filledIn } from "./StartRun";
import { began, OVER, seconds, shown } from "./states";
import { inAirflow, runPage, type Task } from "./types";
import { textOf, withPiece, type Followed } from "./use-task-log";

const task = (id: string, state: string | null, begun = true): Task => ({
  id,
  name: id,
  map_index: -1,
  state,
  tries: begun ? 1 : 0,
  max_tries: 0,
  operator: null,
  started_at: begun ? "2026-11-26T03:00:00Z" : null,
  ended_at: null,
});

describe("states", () => {
  it("has a mark of the console's for every state of Airflow's, and words that are none of its own", () => {
    const all = "removed scheduled queued running success restarting failed up_for_retry up_for_reschedule upstream_failed skipped deferred awaiting_input";
    for (const state of all.split(" ")) {
      expect(shown(state).mark).not.toBe("unknown");
      expect(shown(state).word).not.toContain("_");
    }
    expect(shown(null)).toEqual({ mark: "unknown", word: "Not yet" });
    expect(shown("made_up")).toEqual({ mark: "unknown", word: "made up" });
    expect(OVER.has("up_for_retry")).toBe(false);
  });

  it("counts to the end, to now, and not at all before the beginning", () => {
    const now = new Date("2026-11-26T03:01:00Z");
    expect(seconds({ started_at: "2026-11-26T03:00:00Z", ended_at: null }, now)).toBe(60);
    expect(seconds({ started_at: "2026-11-26T03:00:00Z", ended_at: "2026-11-26T03:00:01.5Z" }, now)).toBe(1.5);
    expect(seconds({ started_at: null, ended_at: null }, now)).toBeNull();
  });

  it("says who or what began a run", () => {
    expect(began("manual", "data-engineer")).toBe("data-engineer");
    expect(began("scheduled", null)).toBe("its schedule");
  });
});

describe("the task that is looked at", () => {
  it("is the one of the address, else the failed one, else the running one, else the last", () => {
    const tasks = [task("a", "success"), task("b", "failed"), task("c", "running"), task("d", "upstream_failed", false)];
    expect(lookedAt(tasks, "a")?.id).toBe("a");
    expect(lookedAt(tasks, null)?.id).toBe("b");
    expect(lookedAt(tasks.filter(({ id }) => id !== "b"), "gone")?.id).toBe("c");
    expect(lookedAt([task("a", "success"), task("b", "success")], null)?.id).toBe("b");
    expect(lookedAt([task("a", null, false)], null)).toBeUndefined();
  });
});

describe("a log", () => {
  const none: Followed = { lines: [], dropped: 0, ended: false, error: null };
  const line = (text: string) => ({ at: "2026-11-26T03:04:29.787452Z", level: "info", text });

  it("goes on where it ended, and begins anew where it was asked from the beginning", () => {
    const first = withPiece(none, { lines: [line("one")], token: "t" }, null, false);
    const more = withPiece(first, { lines: [line("two")], token: null }, "t", true);
    expect(more.lines).toEqual(["03:04:29 INFO  one", "03:04:29 INFO  two"]);
    expect([first.ended, more.ended]).toEqual([false, true]);
    expect(withPiece(more, { lines: [line("one")], token: null }, null, false)).toMatchObject({ lines: ["03:04:29 INFO  one"], ended: false });
  });

  it("keeps the newest lines and says how many it let go", () => {
    const many = withPiece(none, { lines: Array.from({ length: 20_005 }, (_, i) => line(String(i))), token: "t" }, null, false);
    expect([many.lines.length, many.dropped]).toEqual([20_000, 5]);
    expect(withPiece(many, { lines: [line("x")], token: "t" }, "t", false).dropped).toBe(6);
    expect(withPiece(none, { lines: [line("the end")], token: null, dropped: 70_000 }, null, true)).toMatchObject({ dropped: 70_000, ended: true });
  });

  it("has no escape sequences in it", () => {
    expect(textOf({ at: null, level: null, text: "\u001b[31mred\u001b[0m" })).toBe("red");
  });
});

it("fills the form of a run with the DAG's parameters", () => {
  const action = {
    id: "x",
    plugin: "p",
    title: "t",
    description: "d",
    danger: "none" as const,
    confirm_field: null,
    quick: false,
    icon: "play",
    input_schema: { type: "object" as const, properties: { dag: { type: "string" as const }, note: { type: "string" as const, default: "" } } },
  };
  const { properties } = filledIn(action, { id: "lines", conf: { n: 3 } }).input_schema;
  expect(properties?.["dag"]?.default).toBe("lines");
  expect(properties?.["note"]?.default).toBe("");
});

it("writes addresses as Airflow and the portal write them", () => {
  expect(inAirflow("airflow", "a b", "manual__2026-11-26T03:04:26.022030+00:00")).toBe("/app/airflow/dags/a%20b/runs/manual__2026-11-26T03:04:26.022030+00:00");
  expect(new URL(`http://x${runPage("d", "r+1")}`).searchParams.get("run")).toBe("r+1");
});
