import { Bool, Decimal, Field, Float64, Int64, List, makeData, TimestampMicrosecond, Utf8, vectorFromArray } from "apache-arrow";
import { describe, expect, it } from "vitest";
import { cellText, timestampText } from "./arrow";

const text = (vector: { data: readonly unknown[] }, at = 0): string | null => cellText(vector.data[0] as Parameters<typeof cellText>[0], at);

describe("cells", () => {
  it("keep every digit of a 64-bit integer", () => {
    expect(text(vectorFromArray([9223372036854775807n], new Int64()))).toBe("9223372036854775807");
  });
  it("tell NULL from empty", () => {
    const vector = vectorFromArray([null, ""], new Utf8());
    expect([text(vector, 0), text(vector, 1)]).toEqual([null, ""]);
  });
  it("keep NaN and the infinities", () => {
    const vector = vectorFromArray([Number.NaN, Infinity, -Infinity, 0.1], new Float64());
    expect([0, 1, 2, 3].map((i) => text(vector, i))).toEqual(["NaN", "Infinity", "-Infinity", "0.1"]);
  });
  it("keep 38 digits of a decimal, and its sign", () => {
    const type = new Decimal(9, 38, 128);
    const raw = (value: bigint): Uint32Array => Uint32Array.from([0n, 32n, 64n, 96n].map((shift) => Number((BigInt.asUintN(128, value) >> shift) & 0xffffffffn)));
    const value = 12345678901234567890123456789123456789n;
    const data = makeData({ type, length: 2, data: Uint32Array.from([...raw(value), ...raw(-5n)]) });
    expect([cellText(data, 0), cellText(data, 1)]).toEqual(["12345678901234567890123456789.123456789", "-0.000000005"]);
  });
  it("show timestamps to their last digit, before 1970 too", () => {
    expect(timestampText(1n, 6, "UTC")).toBe("1970-01-01 00:00:00.000001 UTC");
    expect(timestampText(-1n, 6)).toBe("1969-12-31 23:59:59.999999");
    expect(timestampText(1356998400000n, 3)).toBe("2013-01-01 00:00:00");
    expect(timestampText(-86_400_000_001n, 6)).toBe("1969-12-30 23:59:59.999999");
    expect(timestampText(9_223_372_036_854_775_807n, 9, "UTC")).toBe("2262-04-11 23:47:16.854775807 UTC");
    expect(timestampText(1_700_000_000_120_000n, 6)).toBe("2023-11-14 22:13:20.12");
    const data = makeData({ type: new TimestampMicrosecond("UTC"), length: 1, data: BigInt64Array.from([1700000000123456n]) });
    expect(cellText(data, 0)).toBe("2023-11-14 22:13:20.123456 UTC");
  });
  it("show lists as JSON", () => {
    expect(text(vectorFromArray([[true, null, false]], new List(new Field("item", new Bool()))))).toBe("[true,null,false]");
  });
});
