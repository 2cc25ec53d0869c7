// What the server has to say instead of a page: it stands in the document that a failed sign-in answers with.
import { ApiError, type Problem } from "../ui/api";

/** The problem of this document, once; null where there is none. */
export function takeProblem(): ApiError | null {
  const meta = document.querySelector('meta[name="openlakes-problem"]');
  const content = meta?.getAttribute("content");
  meta?.remove();
  if (!content) return null;
  try {
    return new ApiError(JSON.parse(content) as Problem);
  } catch {
    return null;
  }
}
