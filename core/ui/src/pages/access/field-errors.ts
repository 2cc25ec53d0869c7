// What is wrong with the fields of a form: said at the field, until the field holds something else.
import { useState } from "react";
import { ApiError } from "../../ui/api";

type Errors = Record<string, string>;

/** The errors of a form with these values, by field, and how they are set; one goes as soon as its field changes. */
export function useFieldErrors(values: Record<string, unknown>): [Errors, (errors: Errors) => void] {
  const [found, setFound] = useState<{ errors: Errors; values: Record<string, unknown> }>({ errors: {}, values });
  const standing = Object.entries(found.errors).filter(([field]) => Object.is(found.values[field], values[field]));
  return [Object.fromEntries(standing), (errors) => setFound({ errors, values })];
}

/** What the API found wrong, by field; any other failure is thrown again. */
export function fieldErrors(error: unknown): Errors {
  if (!(error instanceof ApiError) || !error.problem.errors?.length) throw error;
  return Object.fromEntries(error.problem.errors.map((e) => [e.pointer.split("/")[1] ?? "", sentence(e.detail)]));
}

const sentence = (detail: string): string => `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
