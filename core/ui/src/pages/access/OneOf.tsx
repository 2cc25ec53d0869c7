import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactElement, ReactNode } from "react";
import type { ApiError } from "../../ui/api";
import { PageHeader, Panel } from "../../ui/layout";
import { Loaded } from "../../ui/states";

type Props<T> = { title: string; crumbs: ReactNode; query: UseQueryResult<T, ApiError>; children: (found: T) => ReactElement };

/** The page of one thing; until it is there, its frame with what is the matter. */
export function OneOf<T>({ title, crumbs, query, children }: Props<T>): ReactElement {
  if (query.data) return children(query.data);
  return (
    <>
      <PageHeader title={title} crumbs={crumbs} />
      <Panel label={title}>
        <Loaded query={query} rows={8}>
          {() => null}
        </Loaded>
      </Panel>
    </>
  );
}
