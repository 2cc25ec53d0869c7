// The portal's API: JSON in, JSON out, one shape of error. The CSRF token comes from the session.
import { useMutation, useQuery, useQueryClient, type UseMutationResult, type UseQueryResult } from "@tanstack/react-query";

/** Somebody who can grant: the owner of a thing, a person, or everybody of a group. */
export type Grantor = { kind: "owner" | "person" | "group"; name: string; username: string | null };

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  request_id: string;
  remedy?: string;
  /** Of a refusal: what is missing, which rule said no, and who can grant it. */
  permission?: string;
  resource?: string;
  decided_by?: string;
  reason?: string;
  grantors?: Grantor[];
  errors?: { pointer: string; detail: string }[];
};

export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "ApiError";
    this.problem = problem;
  }
}

let csrfToken = "";
let onSignedOut: () => void = () => undefined;

/** The shell tells the client who is signed in, and what to do when nobody is any more. */
export function configureApi(token: string, signedOut: () => void): void {
  csrfToken = token;
  onSignedOut = signedOut;
}

/** Asks whether the session is still there; when it is not, the shell asks the person to sign in again. */
export async function checkSession(): Promise<void> {
  try {
    const { session } = await api<{ session: object | null }>("/api/bootstrap");
    if (session === null) onSignedOut();
  } catch {
    // Not reachable: that is not being signed out.
  }
}

export const currentCsrfToken = (): string => csrfToken;

export type ApiOptions = {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  keepalive?: boolean;
};

/** A request with our headers; the raw answer, or ApiError. */
export async function apiFetch(path: string, options: ApiOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", ...options.headers };
  const method = options.method ?? "GET";
  if (method !== "GET") headers["x-csrf-token"] = csrfToken;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
      keepalive: options.keepalive,
      credentials: "same-origin",
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(offline());
  }
  if (response.ok) return response;
  const problem = await readProblem(response);
  if (problem.status === 401 && !path.startsWith("/auth/")) onSignedOut();
  throw new ApiError(problem);
}

/** JSON of an answer; undefined where it has no body. */
export async function api<T>(path: string, options: ApiOptions = {}): Promise<T> {
  const response = await apiFetch(path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

async function readProblem(response: Response): Promise<Problem> {
  try {
    const body = (await response.json()) as Partial<Problem>;
    if (typeof body.detail === "string") return body as Problem;
  } catch {
    // not JSON: said below
  }
  return {
    type: "about:blank",
    title: response.statusText || "Error",
    status: response.status,
    detail: `The portal answered ${response.status} without saying why.`,
    request_id: response.headers.get("x-request-id") ?? "",
  };
}

function offline(): Problem {
  return {
    type: "urn:openlakes:problem:offline",
    title: "The portal cannot be reached",
    status: 0,
    detail: "The portal does not answer. Your network, or the portal itself, is away.",
    request_id: "",
    remedy: "Nothing you typed is lost; try again when it is back.",
  };
}

/** Data of a GET; `refresh` in seconds. */
export function useApi<T>(path: string | null, options: { refresh?: number | null } = {}): UseQueryResult<T, ApiError> {
  return useQuery<T, ApiError>({
    queryKey: ["api", path],
    queryFn: ({ signal }) => api<T>(path ?? "", { signal }),
    enabled: path !== null,
    refetchInterval: options.refresh ? options.refresh * 1000 : false,
  });
}

/** A mutation; afterwards everything below `invalidates` is asked again. */
export function useApiMutation<Input, Output>(
  call: (input: Input) => Promise<Output>,
  invalidates: string[] = [],
): UseMutationResult<Output, ApiError, Input> {
  const client = useQueryClient();
  return useMutation<Output, ApiError, Input>({
    mutationFn: call,
    onSuccess: async () => {
      await client.invalidateQueries({
        predicate: (query) => invalidates.some((prefix) => String(query.queryKey[1] ?? "").startsWith(prefix)),
      });
    },
  });
}
