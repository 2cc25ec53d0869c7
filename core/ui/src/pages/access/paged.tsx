// Lists of the API page by page, in the four states; the next page comes on demand.
import { Button } from "@mantine/core";
import { useInfiniteQuery, type InfiniteData, type UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactElement, ReactNode } from "react";
import { api, type ApiError } from "../../ui/api";
import { Icon } from "../../ui/icons";
import { ErrorState, Loading } from "../../ui/states";
import type { Page } from "./shapes";

export type Paged<T> = UseInfiniteQueryResult<InfiniteData<Page<T>>, ApiError>;

/** A list of the API; `path` may have a query of its own. `refresh` in seconds. */
export function usePaged<T>(path: string, options: { refresh?: number; limit?: number } = {}): Paged<T> {
  return useInfiniteQuery<Page<T>, ApiError, InfiniteData<Page<T>>, string[], string | null>({
    queryKey: ["api", path],
    queryFn: ({ pageParam, signal }) => {
      const [route, query] = path.split("?");
      const parameters = new URLSearchParams(query);
      parameters.set("limit", String(options.limit ?? 100));
      if (pageParam) parameters.set("cursor", pageParam);
      return api<Page<T>>(`${route}?${parameters}`, { signal });
    },
    initialPageParam: null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: options.refresh ? options.refresh * 1000 : false,
  });
}

export const rowsOf = <T,>(list: Paged<T>): T[] => list.data?.pages.flatMap((page) => page.items) ?? [];

/** How many there are, as far as it is known: "3", "100+". */
export const countOf = <T,>(list: Paged<T>): string => `${rowsOf(list).length}${list.hasNextPage ? "+" : ""}`;

export function PagedRows<T>({ list, children }: { list: Paged<T>; children: (rows: T[]) => ReactNode }): ReactElement {
  if (list.data === undefined) return list.error ? <ErrorState error={list.error} retry={() => void list.refetch()} /> : <Loading rows={6} />;
  return (
    <>
      {list.error ? (
        <p className="state-stale small" role="status">
          <Icon name="warn" /> Shown as it was before: {list.error.message}
        </p>
      ) : null}
      {children(rowsOf(list))}
      {list.hasNextPage ? (
        <div className="panel-body">
          <Button onClick={() => void list.fetchNextPage()} loading={list.isFetchingNextPage}>
            Load more
          </Button>
        </div>
      ) : null}
    </>
  );
}
