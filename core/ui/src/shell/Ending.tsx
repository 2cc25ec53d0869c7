// A session ends in any case some day: said in time, so that nobody loses work to it.
import { Button } from "@mantine/core";
import { useEffect, useState, type ReactElement } from "react";
import { useLocation } from "react-router";
import { Icon } from "../ui/icons";
import { usePortal, useSession } from "../ui/session";
import { loginAddress } from "./next";

const SAID_BEFORE = 10 * 60_000;
/** setTimeout takes no more than 2^31 - 1 ms, and fires at once for more. */
const LONGEST_WAIT = 2_000_000_000;

/** Milliseconds after which it is to be said; 0 for now. */
export const untilSaid = (expiresAt: string, now: number): number => Math.max(0, Date.parse(expiresAt) - SAID_BEFORE - now);

export function Ending(): ReactElement | null {
  const { boot } = usePortal();
  const session = useSession();
  const location = useLocation();
  const [said, setSaid] = useState(() => untilSaid(session.expires_at, Date.now()) === 0);
  useEffect(() => {
    const wait = untilSaid(session.expires_at, Date.now());
    setSaid(wait === 0);
    if (wait === 0 || wait > LONGEST_WAIT) return undefined;
    const timer = setTimeout(() => setSaid(true), wait);
    return () => clearTimeout(timer);
  }, [session.expires_at]);
  if (!said) return null;
  const at = new Date(session.expires_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return (
    <p className="ending small" role="status">
      <Icon name="warn" className="warn" />
      <span className="grow">You are signed in until {at}. Sign in again before that, and nothing on this page is lost.</span>
      {boot.auth.mode === "oidc" ? (
        <Button component="a" size="xs" href={loginAddress(boot.auth.login_url, location.pathname + location.search)}>
          Sign in again
        </Button>
      ) : null}
    </p>
  );
}
