import { describe, expect, it } from "vitest";
import { checkValues, initialValues, labelOf, resolveField, toInput, type ObjectSchema } from "../schema";

const SCHEMA: ObjectSchema = {
  properties: {
    name: { type: "string", maxLength: 5 },
    retries: { type: "integer", minimum: 0, maximum: 9, default: 3 },
    ratio: { anyOf: [{ type: "number" }, { type: "null" }], default: null },
    mode: { $ref: "#/$defs/Mode" },
    dry: { type: "boolean", default: false },
  },
  required: ["name"],
  $defs: { Mode: { type: "string", enum: ["fast", "safe"] } },
};

describe("a form from a schema", () => {
  it("starts with the defaults", () => expect(initialValues(SCHEMA)).toMatchObject({ retries: 3, dry: false }));

  it("is filled in with what the page knows, text fields alone", () =>
    expect(initialValues(SCHEMA, { name: "a", mode: "safe", retries: "9", other: "x" })).toEqual({ name: "a", mode: "safe", retries: 3, ratio: null, dry: false }));

  it("follows references and takes null off", () => {
    expect(resolveField(SCHEMA, SCHEMA.properties?.["mode"] ?? {}).enum).toEqual(["fast", "safe"]);
    expect(resolveField(SCHEMA, SCHEMA.properties?.["ratio"] ?? {}).type).toBe("number");
  });

  it("sends what was typed as the type that is wanted, and leaves empty fields out", () =>
    expect(toInput(SCHEMA, { name: "a", retries: "7", ratio: "", mode: "safe", dry: true, other: 1 })).toEqual({
      name: "a",
      retries: 7,
      mode: "safe",
      dry: true,
    }));

  it.each([
    [{}, { name: "This is needed." }],
    [{ name: "abcdef" }, { name: "At most 5 characters." }],
    [{ name: "a", retries: "1.5" }, { retries: "This must be a whole number." }],
    [{ name: "a", retries: "10" }, { retries: "At most 9." }],
    [{ name: "a", ratio: "x" }, { ratio: "This must be a number." }],
    [{ name: "a", retries: "0" }, {}],
  ])("checks %j", (values, errors) => expect(checkValues(SCHEMA, values)).toEqual(errors));

  it("names a field by its title or its own name", () => {
    expect(labelOf("dry_run", {})).toBe("Dry run");
    expect(labelOf("x", { title: "Table" })).toBe("Table");
    expect(labelOf("keep_days", { title: "Keep Days" })).toBe("Keep days");
  });
});
