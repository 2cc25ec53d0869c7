import { Button } from "@mantine/core";
import { useEffect, useRef, useState, type ReactElement } from "react";
import { useLocation } from "react-router";
import { api } from "../ui/api";
import { Icon } from "../ui/icons";
import { usePortal, type Persona } from "../ui/session";
import { ErrorState } from "../ui/states";
import { Mark } from "./Mark";
import { loginAddress, safeNext } from "./next";
import { takeProblem } from "./problem";
import "./signin.css";

export function SignIn(): ReactElement {
  const { boot, reload } = usePortal();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `Sign in · ${boot.site.name}`;
    heading.current?.focus();
  }, [boot.site.name]);
  return (
    <main className="signin">
      <div className="signin-box">
        <Mark size={34} />
        <h1 ref={heading} tabIndex={-1}>
          {boot.site.name}
        </h1>
        {boot.auth.mode === "demo" ? (
          <>
            <p className="t2">Who do you want to be? This demo runs on this machine alone and needs no password.</p>
            <Personas personas={boot.auth.personas} onDone={reload} />
          </>
        ) : (
          <AtProvider />
        )}
      </div>
    </main>
  );
}

/** The company's own sign-in: one way in, and what was wrong with the last try. */
function AtProvider(): ReactElement {
  const { boot } = usePortal();
  const location = useLocation();
  const [refusal] = useState(takeProblem);
  return (
    <>
      {refusal ? (
        <div className="panel signin-refusal">
          <ErrorState error={refusal} />
        </div>
      ) : (
        <p className="t2">You sign in with {boot.auth.provider ?? "your company account"}, once for everything here.</p>
      )}
      <Button component="a" href={loginAddress(boot.auth.login_url, safeNext(location.search))} variant="filled" size="md">
        {refusal ? "Sign in again" : "Sign in"}
      </Button>
    </>
  );
}

const ICONS: Record<string, string> = {
  "data-engineer": "pipeline",
  "analytics-engineer": "model",
  "bi-analyst": "chart",
  "platform-admin": "settings",
  viewer: "health",
};

const NOT_KEPT =
  "You were signed in, but this browser did not keep the session cookie. Over plain http, Chromium and Firefox keep it on this machine's own names; Safari does not. Use one of those, or https.";

/** Whether the browser sends the cookie that it was just given. */
const isKept = async (): Promise<boolean> => (await fetch("/api/session", { credentials: "same-origin" })).ok;

export function Personas({ personas, onDone }: { personas: Persona[]; onDone: () => Promise<void> }): ReactElement {
  const [busy, setBusy] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const choose = async (persona: string): Promise<void> => {
    setBusy(persona);
    setError(null);
    try {
      await api("/auth/demo", { method: "POST", body: { persona } });
      await onDone();
      if (!(await isKept())) throw new Error(NOT_KEPT);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(null);
    }
  };
  return (
    <>
      <ul className="personas">
        {personas.map((persona) => (
          <li key={persona.id}>
            <button type="button" disabled={busy !== null} onClick={() => void choose(persona.id)} data-persona={persona.id}>
              <Icon name={ICONS[persona.id] ?? "user"} />
              <span className="grow">
                <span className="b">{persona.title}</span> <span className="t3 small">{persona.name}</span>
                <span className="persona-words t2">{persona.description}</span>
              </span>
              <Icon name="right" className="t3" />
            </button>
          </li>
        ))}
      </ul>
      {error ? <ErrorState error={error} /> : null}
    </>
  );
}
