import { describe, expect, it } from "vitest";
import { EXPLAIN, commonTables, faultAt, offsetOf, parameterNames, parameterValue, splitStatements, statementAt } from "./statements";

const texts = (sql: string): string[] => splitStatements(sql).map((s) => sql.slice(s.start, s.end));

describe("statements", () => {
  it("are split at semicolons that stand in code", () => {
    expect(texts("select ';' ; -- a ; b\nselect \"a;b\" /* ; */;\n;")).toEqual(["select ';'", '-- a ; b\nselect "a;b" /* ; */']);
  });
  it("keep doubled quotes inside their text", () => {
    expect(texts("select 'it''s; fine'; select 2")).toEqual(["select 'it''s; fine'", "select 2"]);
  });
  it("survive what is not closed", () => {
    expect(texts("select 'open ; text")).toEqual(["select 'open ; text"]);
    expect(texts("/* open ; ")).toEqual([]);
  });
  it("are found at the cursor, and before it where there is none", () => {
    const sql = "select 1;\n\nselect 2;\n  ";
    const at = (offset: number): string => {
      const span = statementAt(sql, offset);
      return span ? sql.slice(span.start, span.end) : "";
    };
    expect([at(0), at(9), at(10), at(sql.length)]).toEqual(["select 1", "select 2", "select 2", "select 2"]);
  });
});

describe("parameters", () => {
  it("are names after one colon, in code only", () => {
    expect(parameterNames("select :a, ':b', x::int, :c_1 -- :d\n, :a /* :e */ , \":f\"")).toEqual(["a", "c_1"]);
  });
  it("take the type that they read like, and stay text where a number would lose digits", () => {
    expect(["12", "1.5", "true", "'12'", "null", "", "9007199254740993", "abc"].map(parameterValue)).toEqual([12, 1.5, true, "12", null, null, "9007199254740993", "abc"]);
  });
});

it("names of common table expressions are found", () => {
  expect(commonTables("WITH late AS (select 1), early(x) as (select 2) select")).toEqual(["late", "early"]);
});

describe("a fault's place", () => {
  it("is an offset of its line and column, kept inside the text", () => {
    const text = "ab\ncdef\n";
    expect([offsetOf(text, 1, 1), offsetOf(text, 2, 3), offsetOf(text, 2, 99), offsetOf(text, 9, 1)]).toEqual([0, 5, 7, 8]);
  });
  it("is where the statement stands that was run, the second of two equal ones too", () => {
    const whole = "select x;\nselect x;";
    expect(faultAt(whole, "select x", 10, { line: 1, column: 8 })).toBe(17);
    expect(faultAt(whole, "select x", 0, { line: 1, column: 8 })).toBe(7);
  });
  it("is found again when the statement moved, and is nowhere when it changed", () => {
    expect(faultAt("-- new\nselect x", "select x", 0, { line: 1, column: 8 })).toBe(14);
    expect(faultAt("select y", "select x", 0, { line: 1, column: 8 })).toBeNull();
  });
  it("does not count the word that the workbench put before it", () => {
    expect(faultAt("select x", "EXPLAIN select x", 0, { line: 1, column: 16 })).toBe(7);
    expect(faultAt("select x", `${EXPLAIN.io}select x`, 0, { line: 1, column: EXPLAIN.io.length + 8 })).toBe(7);
  });
});
