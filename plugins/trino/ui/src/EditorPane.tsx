import { Editor, type Monaco, type MonacoEditor } from "@openlakes/ui";
import { useCallback, useEffect, useRef, type ReactElement } from "react";
import { registerCompletion, type Scope } from "./completion";
import { statementAt } from "./statements";
import type { QueryFault } from "./types";

export type RunWhat = "statement" | "all";
export type EditorHandle = { text: (what: RunWhat) => { sql: string; line: number }; insert: (text: string) => void; focus: () => void };

type Props = {
  value: string;
  scope: Scope;
  fault: { error: QueryFault; line: number } | null;
  onChange: (sql: string) => void;
  onRun: (what: RunWhat) => void;
  onSave: () => void;
  onHandle: (handle: EditorHandle) => void;
};

/** The SQL text: run with Ctrl+Enter what is selected, else the statement at the cursor; faults are marked in place. */
export function EditorPane(props: Props): ReactElement {
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const mounted = useRef<{ editor: MonacoEditor; monaco: Monaco } | null>(null);

  const mount = useCallback((editor: MonacoEditor, monaco: Monaco) => {
    mounted.current = { editor, monaco };
    const { KeyMod, KeyCode } = monaco;
    editor.addAction({ id: "run", label: "Run statement or selection", keybindings: [KeyMod.CtrlCmd | KeyCode.Enter], run: () => latest.current.onRun("statement") });
    editor.addAction({ id: "run-all", label: "Run all", keybindings: [KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.Enter], run: () => latest.current.onRun("all") });
    editor.addAction({ id: "save", label: "Save query", keybindings: [KeyMod.CtrlCmd | KeyCode.KeyS], run: () => latest.current.onSave() });
    latest.current.onHandle({
      text: (what) => chosenText(editor, what),
      insert: (text) => {
        editor.executeEdits("insert", [{ range: editor.getSelection() ?? new monaco.Range(1, 1, 1, 1), text, forceMoveMarkers: true }]);
        editor.focus();
      },
      focus: () => editor.focus(),
    });
    const unregister = registerCompletion(monaco, () => latest.current.scope);
    return () => {
      unregister();
      mounted.current = null;
    };
  }, []);

  const { fault } = props;
  useEffect(() => {
    const model = mounted.current?.editor.getModel();
    if (!mounted.current || !model) return;
    const { monaco } = mounted.current;
    if (!fault?.error.line) {
      monaco.editor.setModelMarkers(model, "run", []);
      return;
    }
    const line = Math.min(model.getLineCount(), fault.error.line + fault.line - 1);
    const column = fault.error.column ?? 1;
    const word = model.getWordAtPosition({ lineNumber: line, column });
    monaco.editor.setModelMarkers(model, "run", [
      {
        severity: monaco.MarkerSeverity.Error,
        message: fault.error.message,
        startLineNumber: line,
        endLineNumber: line,
        startColumn: column,
        endColumn: word?.endColumn ?? model.getLineMaxColumn(line),
      },
    ]);
    mounted.current.editor.revealLineInCenterIfOutsideViewport(line);
  }, [fault, props.value]);

  return <Editor language="sql" label="SQL editor" value={props.value} onChange={props.onChange} onMount={mount} />;
}

/** What is to run, and the line on which it begins, so that a fault's place can be found again. */
function chosenText(editor: MonacoEditor, what: RunWhat): { sql: string; line: number } {
  const model = editor.getModel();
  if (!model) return { sql: "", line: 1 };
  const whole = model.getValue();
  const selection = editor.getSelection();
  if (selection && !selection.isEmpty()) return { sql: model.getValueInRange(selection), line: selection.startLineNumber };
  if (what === "all") return { sql: whole, line: 1 };
  const span = statementAt(whole, model.getOffsetAt(editor.getPosition() ?? { lineNumber: 1, column: 1 }));
  return span ? { sql: whole.slice(span.start, span.end), line: model.getPositionAt(span.start).lineNumber } : { sql: "", line: 1 };
}
