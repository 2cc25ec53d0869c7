// JSON Schema as our actions use it: an object of plain fields. Checked again on the server, which has the last word.

export type FieldSchema = {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  writeOnly?: boolean;
  anyOf?: FieldSchema[];
  $ref?: string;
};
export type ObjectSchema = { properties?: Record<string, FieldSchema>; required?: string[]; $defs?: Record<string, FieldSchema> };
export type Values = Record<string, unknown>;

/** A field with its reference followed and `null` alternatives taken off. */
export function resolveField(schema: ObjectSchema, field: FieldSchema): FieldSchema {
  if (field.$ref) {
    const target = schema.$defs?.[field.$ref.replace("#/$defs/", "")] ?? {};
    return { ...target, ...field, $ref: undefined };
  }
  const options = field.anyOf?.filter((option) => option.type !== "null");
  if (options?.length === 1 && options[0]) return { ...resolveField(schema, options[0]), ...field, anyOf: undefined };
  return field;
}

/** Defaults, and before them what is given for plain text fields. */
export function initialValues(schema: ObjectSchema, given: Record<string, string> = {}): Values {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
      const value = resolveField(schema, field).type === "string" ? (given[name] ?? field.default) : field.default;
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** What a person typed as the type that the schema wants; empty optional fields are left out. */
export function toInput(schema: ObjectSchema, values: Values): Values {
  const out: Values = {};
  for (const [name, raw] of Object.entries(schema.properties ?? {})) {
    const value = values[name];
    const field = resolveField(schema, raw);
    if (value === "" || value === undefined || value === null) {
      if (schema.required?.includes(name) && field.type === "string" && value === "") out[name] = "";
      continue;
    }
    out[name] = field.type === "integer" || field.type === "number" ? Number(value) : value;
  }
  return out;
}

/** Errors that can be told before the server is asked. */
export function checkValues(schema: ObjectSchema, values: Values): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const [name, raw] of Object.entries(schema.properties ?? {})) {
    const field = resolveField(schema, raw);
    const value = values[name];
    const empty = value === undefined || value === null || value === "";
    if (empty) {
      if (schema.required?.includes(name)) errors[name] = "This is needed.";
    } else if (field.type === "integer" && !Number.isInteger(Number(value))) errors[name] = "This must be a whole number.";
    else if (field.type === "number" && !Number.isFinite(Number(value))) errors[name] = "This must be a number.";
    else if (field.minimum !== undefined && Number(value) < field.minimum) errors[name] = `At least ${field.minimum}.`;
    else if (field.maximum !== undefined && Number(value) > field.maximum) errors[name] = `At most ${field.maximum}.`;
    else if (field.maxLength !== undefined && String(value).length > field.maxLength) errors[name] = `At most ${field.maxLength} characters.`;
  }
  return errors;
}

const sentence = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

/** The label of a field: the title that somebody wrote. Pydantic makes "Keep Days" of `keep_days`: that is "Keep days". */
export function labelOf(name: string, field: { title?: string }): string {
  return field.title && field.title.toLowerCase() !== sentence(name).toLowerCase() ? field.title : sentence(name);
}
