import { describe, expect, it } from "vitest";
import { readIoPlan } from "./io-plan";

// As Trino 476 answered.
const PLAN = JSON.stringify({
  inputTableColumnInfos: [
    {
      table: { catalog: "tpch", schemaTable: { schema: "tiny", table: "nation" } },
      constraint: {
        none: false,
        columnConstraints: [
          { columnName: "nationkey", type: "bigint", domain: { nullsAllowed: false, ranges: [{ low: { bound: "ABOVE" }, high: { value: "5", bound: "BELOW" } }] } },
          { columnName: "regionkey", type: "bigint", domain: { nullsAllowed: true, ranges: [{ low: { value: "1", bound: "EXACTLY" }, high: { value: "1", bound: "EXACTLY" } }] } },
        ],
      },
      estimate: { outputRowCount: 25.0, outputSizeInBytes: 450.0, cpuCost: 450.0, maxMemory: 0.0, networkCost: 0.0 },
    },
    { table: { catalog: "tpch", schemaTable: { schema: "tiny", table: "region" } }, constraint: { none: false, columnConstraints: [] }, estimate: { outputRowCount: "NaN", outputSizeInBytes: "NaN" } },
  ],
  outputTable: { catalog: "memory", schemaTable: { schema: "default", table: "made" } },
});

describe("the tables of a statement", () => {
  it("are read with their conditions and what is expected of them", () =>
    expect(readIoPlan(PLAN)).toEqual([
      { table: "tpch.tiny.nation", conditions: "nationkey < 5 and (regionkey = 1 or regionkey is NULL)", rows: 25, bytes: 450, written: false },
      { table: "tpch.tiny.region", conditions: "", rows: null, bytes: null, written: false },
      { table: "memory.default.made", conditions: "", rows: null, bytes: null, written: true },
    ]));

  it("are none of another text", () => expect([readIoPlan("Fragment 0 [SINGLE]"), readIoPlan("{}"), readIoPlan("null")]).toEqual([null, null, null]));
});
