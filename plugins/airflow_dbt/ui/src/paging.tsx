// Lists page by page: the next page comes on demand.
import { api, Button, ErrorState, Icon, Loading, pluralOf, type ApiError } from "@openlakes/ui";
import { useInfiniteQuery, type InfiniteData, type UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactElement, ReactNode } from "react";
import type { Page } from "./types";

export type Paged<T> = UseInfiniteQueryResult<InfiniteData<Page<T>>, ApiError>;

/** A list of the API, asked again every `refresh` seconds. */
export function usePages<T>(route: string, parameters: Record<string, string>, refresh: number): Paged<T> {
  return useInfiniteQuery<Page<T>, ApiError, InfiniteData<Page<T>>, unknown[], string | null>({
    queryKey: ["api", route, parameters],
    queryFn: ({ pageParam, signal }) =>
      api<Page<T>>(`${route}?${new URLSearchParams({ ...parameters, ...(pageParam ? { cursor: pageParam } : {}) })}`, { signal }),
    initialPageParam: null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: refresh * 1000,
  });
}

/** The rows that are here, in the four states. */
export function Rows<T>({ list, noun, children }: { list: Paged<T>; noun: string; children: (rows: T[]) => ReactNode }): ReactElement {
  if (list.data === undefined)
    return list.error ? <ErrorState error={list.error} retry={() => void list.refetch()} /> : <Loading rows={6} />;
  const rows = list.data.pages.flatMap((page) => page.items);
  const total = list.data.pages.at(-1)?.total ?? rows.length;
  return (
    <>
      {list.error ? (
        <p className="state-stale small" role="status">
          <Icon name="warn" /> Shown as it was before: {list.error.message}
        </p>
      ) : null}
      {children(rows)}
      {list.hasNextPage ? (
        <div className="panel-body row">
          <Button onClick={() => void list.fetchNextPage()} loading={list.isFetchingNextPage}>
            Load more
          </Button>
          <span className="small t3">{pluralOf(rows.length, total, noun)}</span>
        </div>
      ) : null}
    </>
  );
}
