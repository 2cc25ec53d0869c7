// Running an action of a plugin: its form, what it would do (dry run), the confirmation that its danger asks for.
import { Button, Modal, TextInput } from "@mantine/core";
import { useRef, useState, type ReactElement } from "react";
import { useNavigate } from "react-router";
import { api, ApiError, useApiMutation } from "./api";
import { SchemaForm } from "./form";
import { checkValues, initialValues, toInput, type ObjectSchema, type Values } from "./schema";
import { useReturnFocus } from "./return-focus";
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

/** Values by field that the page has already: those that the action has no field for are passed over. */
type Given = Record<string, string>;

export function ActionDialog({ action, given, onClose }: { action: ActionInfo; given?: Given; onClose: () => void }): ReactElement {
  useReturnFocus();
  return (
    <Modal opened onClose={onClose} title={action.title} size="lg">
      <ActionForm action={action} given={given} onDone={onClose} />
    </Modal>
  );
}

export function ActionForm({ action, given, onDone }: { action: ActionInfo; given?: Given; onDone?: () => void }): ReactElement {
  const [values, setValues] = useState<Values>(() => initialValues(action.input_schema, given));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [typed, setTyped] = useState("");
  const [preview, setPreview] = useState<Outcome | null>(null);
  // The same for each attempt at the same input: an answer that got lost does not make it happen twice.
  const [key, setKey] = useState(newKey);
  const navigate = useNavigate();
  const run = useApiMutation<boolean, Outcome>(
    (dry) =>
      api(`/api/actions/${action.id}?dry_run=${dry}`, {
        method: "POST",
        body: toInput(action.input_schema, values),
        headers: dry ? undefined : { "idempotency-key": key },
      }),
    [`/api/plugins/${action.plugin}`],
  );
  const object = action.confirm_field ? String(values[action.confirm_field] ?? "") : "";
  const form = useRef<HTMLFormElement>(null);
  // What is dangerous is shown first: the first press tells what would happen, the second does it.
  const asks = action.danger !== "none" && preview === null;
  const locked = action.danger === "destructive" && preview !== null && (typed !== object || object === "");
  const showErrors = (found: Record<string, string>): void => {
    setErrors(found);
    // After they are drawn.
    setTimeout(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  };

  const submit = (dry: boolean): void => {
    const found = checkValues(action.input_schema, values);
    if (Object.keys(found).length > 0) {
      showErrors(found);
      return;
    }
    setErrors({});
    run.mutate(dry, {
      onSuccess: (outcome) => {
        if (dry) {
          setPreview(outcome);
          return;
        }
        setKey(newKey());
        setPreview(null);
        setTyped("");
        toast("ok", outcome.message);
        onDone?.();
        if (outcome.link) void navigate(outcome.link);
      },
      onError: (error) => showErrors(fieldErrors(error)),
    });
  };

  return (
    <form
      ref={form}
      className="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (!locked) submit(asks);
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
          setKey(newKey());
        }}
      />
      {run.error && Object.keys(errors).length === 0 ? <ErrorState error={run.error} /> : null}
      {preview ? (
        <div className="preview" role="status">
          <p className="b">{preview.message}</p>
          <ul>
            {preview.effects.map((effect) => (
              <li key={effect}>
                <code>{effect}</code>
              </li>
            ))}
          </ul>
          <p className="small t3">Nothing is changed yet.</p>
        </div>
      ) : null}
      {action.danger === "destructive" && preview ? (
        <TextInput
          label={
            <>
              Type <code>{object}</code> to go on
            </>
          }
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
        />
      ) : null}
      <div className="row form-buttons">
        {action.danger === "none" ? (
          <Button onClick={() => submit(true)} loading={run.isPending}>
            What would it do?
          </Button>
        ) : null}
        <Button
          type="submit"
          variant={asks ? "default" : "filled"}
          className={action.danger === "destructive" && !asks ? "button-danger" : undefined}
          disabled={locked}
          loading={run.isPending}
        >
          {asks ? "Show what it would do" : action.title}
        </Button>
      </div>
    </form>
  );
}

/** Also where the page came without TLS, and browsers have no randomUUID. */
const newKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function fieldErrors(error: ApiError): Record<string, string> {
  return Object.fromEntries((error.problem.errors ?? []).map((e) => [e.pointer.split("/")[1] ?? "", e.detail]));
}
