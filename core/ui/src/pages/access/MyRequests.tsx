// What I asked for, and what became of it; asking for something more.
import { Button, Modal, Select } from "@mantine/core";
import { useState, type ReactElement } from "react";
import { AskForAccess } from "../../ui/access";
import { api, useApi, useApiMutation } from "../../ui/api";
import { Icon } from "../../ui/icons";
import { Panel } from "../../ui/layout";
import { useReturnFocus } from "../../ui/return-focus";
import { EmptyState } from "../../ui/states";
import { Status } from "../../ui/status";
import { Table } from "../../ui/table";
import { Time } from "../../ui/time";
import { toast } from "../../ui/toast";
import { Confirm } from "./Confirm";
import { countOf, PagedRows, usePaged } from "./paged";
import type { AccessRequest, Permission } from "./shapes";
import { MARK_OF, wishWords } from "./words";
import "../../ui/ask.css";
import "./access.css";

export function MyRequests(): ReactElement {
  const list = usePaged<AccessRequest>("/api/access/requests?box=mine", { refresh: 10 });
  const [withdrawing, setWithdrawing] = useState<AccessRequest | null>(null);
  const [asking, setAsking] = useState(false);
  const withdraw = useApiMutation<AccessRequest, unknown>((request) => api(`/api/access/requests/${request.id}`, { method: "DELETE" }), ["/api/access/requests"]);
  const ask = (
    <Button leftSection={<Icon name="plus" />} onClick={() => setAsking(true)}>
      Ask for access
    </Button>
  );
  return (
    <Panel title="My requests" badge={countOf(list)} actions={ask}>
      <PagedRows list={list}>
        {(rows) => (
          <Table
            label="My requests"
            rows={rows}
            rowKey={(r) => r.id}
            empty={<EmptyState title="You have asked for nothing">Where something is not for you, the page says which permission is missing, and you can ask for it there.</EmptyState>}
            columns={[
              {
                id: "what",
                label: "What",
                value: (r) => wishWords(r),
                render: (r) => (
                  <span className="person-cell">
                    <code>{r.permission}</code>
                    {r.resource ? (
                      <span className="small t2">
                        for <code>{r.resource}</code>
                      </span>
                    ) : null}
                    <span className="small t2">{r.description}</span>
                  </span>
                ),
              },
              { id: "why", label: "What for", wide: true, value: (r) => r.purpose },
              { id: "asked", label: "Asked", value: (r) => r.created_at, render: (r) => <Time at={r.created_at} /> },
              {
                id: "state",
                label: "State",
                value: (r) => r.state,
                render: (r) => (
                  <span className="person-cell">
                    <Status {...MARK_OF[r.state]} />
                    {r.decided_by_name ? (
                      <span className="small t2">
                        by {r.decided_by_name}: {r.decision_reason}
                      </span>
                    ) : null}
                    {r.state === "granted" && r.expires_at ? (
                      <span className="small t2">
                        until <Time at={r.expires_at} />
                      </span>
                    ) : null}
                  </span>
                ),
              },
              {
                id: "do",
                label: "Action",
                value: () => "",
                render: (r) =>
                  r.state === "open" ? (
                    <button type="button" className="link-button" aria-label={`Withdraw the request for ${r.permission}`} onClick={() => setWithdrawing(r)}>
                      Withdraw
                    </button>
                  ) : null,
              },
            ]}
          />
        )}
      </PagedRows>
      {withdrawing ? (
        <Confirm
          title={`Withdraw the request for ${withdrawing.permission}?`}
          verb="Withdraw"
          onClose={() => setWithdrawing(null)}
          run={async () => {
            await withdraw.mutateAsync(withdrawing);
            toast("ok", "The request is withdrawn.");
            setWithdrawing(null);
          }}
        >
          <p className="t2">Nobody decides it then. You can ask again.</p>
        </Confirm>
      ) : null}
      {asking ? <AskDialog onClose={() => setAsking(false)} /> : null}
    </Panel>
  );
}

function AskDialog({ onClose }: { onClose: () => void }): ReactElement {
  useReturnFocus();
  return (
    <Modal opened onClose={onClose} title="Ask for access" size="lg">
      <AskPicker />
    </Modal>
  );
}

/** A permission of all there are, then the same explanation and form as at every refusal. */
export function AskPicker(): ReactElement {
  const known = useApi<{ items: Permission[] }>("/api/access/permissions");
  const [picked, setPicked] = useState<string | null>(null);
  const options = (known.data?.items ?? []).map((p) => ({ value: p.name, label: `${p.description} (${p.name})` }));
  return (
    <div className="form ask">
      <Select data-autofocus searchable label="What you want to do" placeholder="Find by word" data={options} value={picked} onChange={setPicked} nothingFoundMessage="Nothing found" maxDropdownHeight={280} />
      {picked ? <AskForAccess key={picked} permission={picked} /> : null}
    </div>
  );
}
