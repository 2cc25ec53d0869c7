import { Status } from "@openlakes/ui";
import type { ReactElement } from "react";
import { shown } from "./states";

/** A run's or a task's state. */
export function StateOf({ state }: { state: string | null }): ReactElement {
  const { mark, word } = shown(state);
  return <Status state={mark} label={word} />;
}
