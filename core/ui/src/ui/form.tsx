import { PasswordInput, Select, Switch, Textarea, TextInput } from "@mantine/core";
import type { ReactElement } from "react";
import { labelOf, resolveField, type FieldSchema, type ObjectSchema, type Values } from "./schema";

type Props = { schema: ObjectSchema; values: Values; errors: Record<string, string>; onChange: (values: Values) => void };

/** Fields of a JSON Schema: no code is made from the schema, so the content policy stays strict. */
export function SchemaForm({ schema, values, errors, onChange }: Props): ReactElement {
  const set = (name: string, value: unknown): void => onChange({ ...values, [name]: value });
  return (
    <div className="stack">
      {Object.entries(schema.properties ?? {}).map(([name, raw], i) => (
        <Field
          key={name}
          first={i === 0}
          name={name}
          field={resolveField(schema, raw)}
          required={schema.required?.includes(name) ?? false}
          value={values[name]}
          error={errors[name]}
          onChange={(value) => set(name, value)}
        />
      ))}
    </div>
  );
}

function Field(props: {
  /** Where a dialog puts the focus. */
  first: boolean;
  name: string;
  field: FieldSchema;
  required: boolean;
  value: unknown;
  error?: string;
  onChange: (value: unknown) => void;
}): ReactElement {
  const { field, value, onChange } = props;
  const common = {
    label: labelOf(props.name, field),
    description: field.description,
    error: props.error,
    required: props.required,
    "data-autofocus": props.first || undefined,
  };
  const text = value === undefined || value === null ? "" : String(value);
  if (field.enum)
    return <Select {...common} data={field.enum.map(String)} value={text || null} onChange={onChange} allowDeselect={!props.required} />;
  if (field.type === "boolean")
    return <Switch data-autofocus={props.first || undefined} label={common.label} description={field.description} checked={Boolean(value)} onChange={(e) => onChange(e.currentTarget.checked)} />;
  if (field.writeOnly || field.format === "password")
    return <PasswordInput size="xs" {...common} value={text} onChange={(e) => onChange(e.currentTarget.value)} autoComplete="off" />;
  if (field.type === "integer" || field.type === "number")
    return <TextInput {...common} inputMode="decimal" value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
  if ((field.maxLength ?? 0) > 300)
    return <Textarea {...common} autosize minRows={3} maxRows={12} value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
  return <TextInput {...common} value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
}
