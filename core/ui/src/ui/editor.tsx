// The code editor (Monaco), loaded when a page first shows one.
import { Skeleton } from "@mantine/core";
import { lazy, Suspense, type ReactElement } from "react";
import type { Monaco, MonacoEditor } from "./editor-monaco";

export type { Monaco, MonacoEditor };
export type EditorProps = {
  value: string;
  language: string;
  label: string;
  onChange?: (value: string) => void;
  /** Called once with the editor and the library: completions, markers and actions are the page's. */
  onMount?: (editor: MonacoEditor, monaco: Monaco) => (() => void) | void;
  readOnly?: boolean;
  height?: number | string;
};

// Two steps on purpose: a bundler may place Monaco above a static import of monaco-csp.
const Loaded = lazy(async () => {
  await import("./monaco-csp");
  return import("./editor-monaco");
});

export function Editor(props: EditorProps): ReactElement {
  return (
    <Suspense fallback={<Skeleton height={props.height ?? "100%"} radius={0} />}>
      <Loaded {...props} />
    </Suspense>
  );
}
