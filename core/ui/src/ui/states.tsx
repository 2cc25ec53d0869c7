// The states of a view besides data: skeleton, empty with the next action, error with cause, retry and request id.
import { Button, Skeleton } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState, type ReactElement, type ReactNode } from "react";
import { AskForAccess, type Missing } from "./access";
import { ApiError } from "./api";
import { Icon } from "./icons";
import "./states.css";

export function Loading({ rows = 4 }: { rows?: number }): ReactElement | null {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return <div className="state-quiet" aria-busy="true" />;
  return (
    <div className="state-loading" aria-busy="true" aria-label="Loading" role="status">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} height={14} width={`${90 - ((row * 17) % 40)}%`} radius="xs" />
      ))}
    </div>
  );
}

export function EmptyState({
  title,
  children,
  action,
  missing,
}: {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  /** Where it is empty because this permission is missing. */
  missing?: Missing;
}): ReactElement {
  return (
    <div className="state">
      <p className="b">{title}</p>
      {children ? <p className="t2">{children}</p> : null}
      {missing ? <AskForAccess {...missing} /> : null}
      {action}
    </div>
  );
}

export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }): ReactElement {
  const problem = error instanceof ApiError ? error.problem : null;
  return (
    <div className="state state-error" role="alert">
      <p className="b row">
        <Icon name="warn" className="bad" />
        {problem?.title ?? "This part of the page failed"}
      </p>
      <p className="t2">{problem?.detail ?? (error instanceof Error ? error.message : "Unknown fault")}</p>
      {problem?.remedy && !problem.permission ? <p className="t2">{problem.remedy}</p> : null}
      {problem?.permission ? (
        <AskForAccess permission={problem.permission} resource={problem.resource} decided_by={problem.decided_by} reason={problem.reason} grantors={problem.grantors} />
      ) : null}
      <div className="row wrap">
        {retry ? (
          <Button onClick={retry} leftSection={<Icon name="refresh" />}>
            Try again
          </Button>
        ) : null}
        {problem?.request_id ? (
          <span className="small t3">
            request <code>{problem.request_id}</code>
          </span>
        ) : null}
      </div>
    </div>
  );
}

/** A query's four states; `children` draws the data. Data that is there stays while a refresh fails, and says so. */
export function Loaded<T>({
  query,
  children,
  rows,
  framed,
}: {
  query: UseQueryResult<T, ApiError>;
  children: (data: T) => ReactNode;
  rows?: number;
  /** Where no panel is around it: what stands in the place of the data gets one. */
  framed?: boolean;
}): ReactElement {
  if (query.data === undefined) {
    const instead = query.error ? <ErrorState error={query.error} retry={() => void query.refetch()} /> : <Loading rows={rows} />;
    return framed ? <section className="panel">{instead}</section> : instead;
  }
  return (
    <>
      {query.error ? (
        <p className="state-stale small" role="status">
          <Icon name="warn" /> Shown as it was before: {query.error.message}
        </p>
      ) : null}
      {children(query.data)}
    </>
  );
}
