// From nothing to a page: what the shell needs is asked once; who is not signed in gets the sign-in page.
import { Button, Modal } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useState, type ReactElement } from "react";
import { Navigate, useLocation } from "react-router";
import { api, configureApi } from "../ui/api";
import { PortalContext, type Bootstrap, type PortalState } from "../ui/session";
import { ErrorState, Loading } from "../ui/states";
import { Personas, SignIn } from "./SignIn";
import { leaves, loginAddress, safeNext } from "./next";
import { Shell } from "./Shell";

export function Portal(): ReactElement {
  const [boot, setBoot] = useState<Bootstrap | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [signedOut, setSignedOut] = useState(false);
  const client = useQueryClient();
  const location = useLocation();

  const reload = useCallback(async () => {
    try {
      const answer = await api<Bootstrap>("/api/bootstrap");
      configureApi(answer.session?.csrf_token ?? "", () => setSignedOut(true));
      setBoot(answer);
      setSignedOut(false);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  }, []);
  useEffect(() => void reload(), [reload]);
  useEffect(() => {
    if (error === null) return undefined;
    const timer = setTimeout(() => void reload(), 5000);
    return () => clearTimeout(timer);
  }, [error, reload]);

  const state = useMemo<PortalState | null>(() => (boot ? { boot, reload } : null), [boot, reload]);
  if (!state || !boot) return error ? <div className="full-page"><ErrorState error={error} retry={() => void reload()} /></div> : <Loading />;

  const asked = location.pathname + location.search;
  if (!boot.session) {
    if (location.pathname === "/signout") return <Navigate to="/signin" replace />;
    if (location.pathname !== "/signin" && !location.pathname.startsWith("/auth/")) return <Navigate to={`/signin?next=${encodeURIComponent(asked)}`} replace />;
    return (
      <PortalContext.Provider value={state}>
        <SignIn />
      </PortalContext.Provider>
    );
  }
  if (location.pathname === "/signin" || location.pathname.startsWith("/auth/")) return <Onward to={safeNext(location.search)} />;
  return (
    <PortalContext.Provider value={state}>
      <Shell />
      <Modal opened={signedOut} onClose={() => setSignedOut(false)} title="You were signed out" size="lg">
        <p className="t2">What is on this page stays. Sign in again to go on.</p>
        {boot.auth.mode === "demo" ? (
          <Personas
            personas={boot.auth.personas}
            onDone={async () => {
              const now = await api<{ subject: string }>("/api/session");
              // Somebody else: what is in memory here belongs to the person before.
              if (now.subject !== boot.session?.subject) window.location.assign("/");
              await reload();
              await client.invalidateQueries();
            }}
          />
        ) : (
          <Button component="a" href={loginAddress(boot.auth.login_url, asked)} variant="filled">
            Sign in
          </Button>
        )}
      </Modal>
    </PortalContext.Provider>
  );
}

/** On to where somebody wanted to go, within the console or out of it. */
function Onward({ to }: { to: string }): ReactElement {
  const out = leaves(to);
  useEffect(() => {
    if (out) window.location.replace(to);
  }, [out, to]);
  return out ? <Loading /> : <Navigate to={to} replace />;
}
