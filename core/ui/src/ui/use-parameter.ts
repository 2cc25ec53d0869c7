import { useCallback } from "react";
import { useSearchParams } from "react-router";

/** The parameters of the address, and setting one of them (an empty one goes) without a step in the history. */
export function useParameters(): [URLSearchParams, (name: string, value: string) => void] {
  const [parameters, setParameters] = useSearchParams();
  const set = useCallback(
    (name: string, value: string) =>
      setParameters(
        (old) => {
          if (value) old.set(name, value);
          else old.delete(name);
          return old;
        },
        { replace: true },
      ),
    [setParameters],
  );
  return [parameters, set];
}
