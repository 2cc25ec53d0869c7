// How many requests for access wait for this person: for the mark at their line of the rail and in the user's menu.
import type { UseQueryResult } from "@tanstack/react-query";
import { useApi, type ApiError } from "../ui/api";
import { usePermission } from "../ui/session";

const SHOWN = 99;

/** Who decides everything is told soon; owners of things once in a while. */
export function useWaiting(): number {
  const decides = usePermission("core:access:manage");
  const query: UseQueryResult<{ items: unknown[] }, ApiError> = useApi(`/api/access/requests?box=inbox&state=open&limit=${SHOWN}`, { refresh: decides ? 15 : 120 });
  return query.data?.items.length ?? 0;
}
