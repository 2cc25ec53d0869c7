// Questions before something is taken away, and what a change would do before it is made.
import { Button, Modal } from "@mantine/core";
import { useEffect, useState, type FormEvent, type ReactElement, type ReactNode } from "react";
import { ApiError } from "../../ui/api";
import { Icon } from "../../ui/icons";
import { useReturnFocus } from "../../ui/return-focus";
import { ErrorState, Loading } from "../../ui/states";
import type { Preview } from "./shapes";
import { givenWords, previewWords } from "./words";
import "../../ui/ask.css";
import "./access.css";

type Props = {
  title: ReactNode;
  /** The verb on the button. */
  verb: string;
  danger?: boolean;
  disabled?: boolean;
  size?: string;
  onClose: () => void;
  /** Does it; what it throws is shown and the dialog stays. */
  run: () => Promise<void>;
  children?: ReactNode;
};

/** A dialog with one thing that it can do. */
export function Confirm({ title, verb, danger, disabled, size, onClose, run, children }: Props): ReactElement {
  useReturnFocus();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (disabled || busy) return;
    setBusy(true);
    setError(null);
    try {
      await run();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={title} size={size ?? "lg"}>
      <form className="form" noValidate onSubmit={(event) => void submit(event)}>
        {children}
        {error ? <ErrorState error={error} /> : null}
        <div className="row form-buttons">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" variant="filled" className={danger ? "button-danger" : undefined} loading={busy} disabled={disabled}>
            {verb}
          </Button>
        </div>
      </form>
    </Modal>
  );
}

type Tried = { preview: Preview | null; error: ApiError | null };

/** What a change would do, asked again whenever `key` changes; null asks nothing. */
export function usePreview(key: string | null, ask: () => Promise<Preview>): Tried & { pending: boolean } {
  const [tried, setTried] = useState<Tried & { key: string | null }>({ key: null, preview: null, error: null });
  useEffect(() => {
    if (key === null) return undefined;
    let wanted = true;
    // What is typed is not asked about letter by letter.
    const timer = setTimeout(() => {
      ask().then(
        (preview) => wanted && setTried({ key, preview, error: null }),
        (error: unknown) => wanted && setTried({ key, preview: null, error: error instanceof ApiError ? error : null }),
      );
    }, 200);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
    // oxlint-disable-next-line react/exhaustive-deps -- `key` stands for what `ask` would ask
  }, [key]);
  return { ...tried, pending: key !== null && tried.key !== key };
}

/** Person by person, what a change gives and takes. */
export function PreviewView({ tried }: { tried: Tried & { pending: boolean } }): ReactElement {
  if (tried.pending) return <Loading rows={2} />;
  if (tried.error) return <ErrorState error={tried.error} />;
  if (!tried.preview) return <></>;
  const { effects, affected } = tried.preview;
  return (
    <div className="preview" role="status" aria-label="What it does">
      <p className="b">{previewWords(tried.preview)}</p>
      <ul className="effects">
        {effects.map((effect) => (
          <li key={effect.subject ?? effect.name}>
            <span className="b">{effect.name}</span>
            {effect.username && effect.username !== effect.name ? <span className="t3"> {effect.username}</span> : null}
            <span className="effect">
              {effect.gains.map((g) => (
                <span key={`+${givenWords(g)}`} className="st ok">
                  <Icon name="plus" />
                  <span className="visually-hidden">gains</span>
                  <code>{givenWords(g)}</code>
                </span>
              ))}
              {effect.loses.map((g) => (
                <span key={`-${givenWords(g)}`} className="st bad">
                  <Icon name="close" />
                  <span className="visually-hidden">loses</span>
                  <code>{givenWords(g)}</code>
                </span>
              ))}
            </span>
          </li>
        ))}
      </ul>
      {affected > effects.length ? <p className="small t2">and {affected - effects.length} more people</p> : null}
      <p className="small t3">Nothing is changed yet.</p>
    </div>
  );
}
