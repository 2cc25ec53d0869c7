// Where the sign-out of an app leads: it is the portal's sign-in that ends, so it is asked for here.
import { Button } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { Link } from "react-router";
import { signOut } from "../shell/sign-out";
import { Icon } from "../ui/icons";
import { PageHeader } from "../ui/layout";
import { ErrorState } from "../ui/states";

export function SignOut(): ReactElement {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const leave = async (): Promise<void> => {
    setBusy(true);
    try {
      await signOut();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <>
      <PageHeader title="Sign out?" />
      <section className="panel">
        {error ? (
          <ErrorState error={error} retry={() => void leave()} />
        ) : (
          <div className="panel-body">
            <p className="t2">You are signed in at the portal, and its apps know you from there. Signing out ends all of it: the console and every app.</p>
            <div className="row wrap">
              <Button variant="filled" leftSection={<Icon name="exit" />} loading={busy} onClick={() => void leave()}>
                Sign out
              </Button>
              <Link to="/">Stay signed in</Link>
            </div>
          </div>
        )}
      </section>
    </>
  );
}
