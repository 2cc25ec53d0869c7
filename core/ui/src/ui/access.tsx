// What stands where a permission is missing. The explanation and the form come when they are needed: a first visit to
// the console seldom meets a refusal.
import { Button, Modal, type ButtonProps } from "@mantine/core";
import { lazy, Suspense, useState, type MouseEventHandler, type ReactElement, type ReactNode } from "react";
import type { Grantor } from "./api";
import { useReturnFocus } from "./return-focus";
import { usePermission } from "./session";

export type Missing = { permission: string; resource?: string; decided_by?: string; reason?: string; grantors?: Grantor[] };

const Ask = lazy(async () => ({ default: (await import("./ask")).Ask }));

/** Which permission is missing, by which rule, who can grant it; and the way to ask for it, right here. */
export function AskForAccess(missing: Missing): ReactElement {
  return (
    <Suspense
      fallback={
        <p className="t2">
          Missing permission: <code>{missing.permission}</code>
        </p>
      }
    >
      <Ask {...missing} />
    </Suspense>
  );
}

/** A button for who holds the permission. For others it is there too, says that it is not theirs, and lets them ask. */
export function GatedButton({
  permission,
  resource,
  onClick,
  children,
  ...rest
}: ButtonProps & { permission: string; resource?: string; onClick: MouseEventHandler; children: ReactNode }): ReactElement {
  const may = usePermission(permission);
  const [asking, setAsking] = useState(false);
  if (may)
    return (
      <Button {...rest} onClick={onClick}>
        {children}
      </Button>
    );
  return (
    <>
      <Button {...rest} variant="default" className="button-gated" data-gated title={`Needs ${permission}`} aria-haspopup="dialog" onClick={() => setAsking(true)}>
        {children}
      </Button>
      {asking ? <AskDialog permission={permission} resource={resource} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

export function AskDialog({ onClose, ...missing }: Missing & { onClose: () => void }): ReactElement {
  useReturnFocus();
  return (
    <Modal opened onClose={onClose} title="This needs a permission that you do not hold" size="lg">
      <AskForAccess {...missing} />
    </Modal>
  );
}
