// Running an action of a plugin: its form, what it would do (dry run), the confirmation that its danger asks for.
import { Button, Modal, TextInput } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { useNavigate } from "react-router";
import { api, ApiError, useApiMutation } from "./api";
import { SchemaForm } from "./form";
import { checkValues, initialValues, toInput, type ObjectSchema, type Values } from "./schema";
import { ErrorState } from "./states";
import { toast } from "./toast";

export type ActionInfo = {
  id: string;
  plugin: string;
  title: string;
  description: string;
  danger: "none" | "confirm" | "destructive";
  confirm_field: string | null;
  quick: boolean;
  icon: string;
  input_schema: ObjectSchema;
};
type Outcome = { message: string; effects: string[]; link: string | null; dry_run: boolean };

export function ActionDialog({ action, onClose }: { action: ActionInfo; onClose: () => void }): ReactElement {
  return (
    <Modal opened onClose={onClose} title={action.title} size="lg">
      <ActionForm action={action} onDone={onClose} />
    </Modal>
  );
}

export function ActionForm({ action, onDone }: { action: ActionInfo; onDone?: () => void }): ReactElement {
  const [values, setValues] = useState<Values>(() => initialValues(action.input_schema));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [typed, setTyped] = useState("");
  const [preview, setPreview] = useState<Outcome | null>(null);
  const navigate = useNavigate();
  const run = useApiMutation<boolean, Outcome>(
    (dry) =>
      api(`/api/actions/${action.id}?dry_run=${dry}`, {
        method: "POST",
        body: toInput(action.input_schema, values),
        headers: { "idempotency-key": crypto.randomUUID?.() ?? String(Math.random()) },
      }),
    [`/api/plugins/${action.plugin}`],
  );
  const object = action.confirm_field ? String(values[action.confirm_field] ?? "") : "";
  const locked = action.danger === "destructive" && (typed !== object || object === "" || !preview);

  const submit = (dry: boolean): void => {
    const found = checkValues(action.input_schema, values);
    setErrors(found);
    if (Object.keys(found).length > 0) return;
    run.mutate(dry, {
      onSuccess: (outcome) => {
        if (dry) {
          setPreview(outcome);
          return;
        }
        toast("ok", outcome.message);
        onDone?.();
        if (outcome.link) void navigate(outcome.link);
      },
      onError: (error) => setErrors(fieldErrors(error)),
    });
  };

  return (
    <form
      className="stack"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit(action.danger === "destructive" && !preview);
      }}
    >
      <p className="t2">{action.description}</p>
      <SchemaForm
        schema={action.input_schema}
        values={values}
        errors={errors}
        onChange={(next) => {
          setValues(next);
          setPreview(null);
        }}
      />
      {run.error && Object.keys(errors).length === 0 ? <ErrorState error={run.error} /> : null}
      {preview ? (
        <div className="panel panel-body" role="status">
          <p className="b">{preview.message}</p>
          <ul>
            {preview.effects.map((effect) => (
              <li key={effect}>{effect}</li>
            ))}
          </ul>
        </div>
      ) : null}
      {action.danger === "destructive" && preview ? (
        <TextInput label={`Type “${object}” to go on`} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" />
      ) : null}
      <div className="row">
        <span className="grow" />
        <Button onClick={() => submit(true)} loading={run.isPending}>
          What would it do?
        </Button>
        <Button
          type="submit"
          variant="filled"
          color={action.danger === "destructive" ? "red" : undefined}
          disabled={locked && preview !== null}
          loading={run.isPending}
        >
          {action.title}
        </Button>
      </div>
    </form>
  );
}

function fieldErrors(error: ApiError): Record<string, string> {
  return Object.fromEntries((error.problem.errors ?? []).map((e) => [e.pointer.split("/")[1] ?? "", e.detail]));
}
