import type { ReactElement } from "react";
import { PageHeader, Panel } from "../ui/layout";
import { useSession } from "../ui/session";
import { EmptyState } from "../ui/states";
import { AskPicker, MyRequests } from "./access/MyRequests";

/** For somebody to whom no binding gives anything: who they are here, and the way to ask. */
export function NoAccess(): ReactElement {
  const session = useSession();
  return (
    <>
      <PageHeader title="No access yet" />
      <Panel label="No access yet">
        <EmptyState title={`You are signed in as ${session.username}, and nothing is given to you yet`} action={<AskPicker />}>
          Ask here for what you need. Who decides sees it at once, and this page opens when it is granted. For a whole role, ask a platform admin to bind one to you or to one of your groups.
        </EmptyState>
      </Panel>
      <MyRequests />
    </>
  );
}
