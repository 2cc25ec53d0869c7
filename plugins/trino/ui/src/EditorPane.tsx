import { Editor, type Monaco, type MonacoEditor } from "@openlakes/ui";
import { useCallback, useEffect, useRef, useState, type ReactElement } from "react";
import { registerCompletion, type Scope } from "./completion";
import { splitStatements, statementAt } from "./statements";

export type RunWhat = "statement" | "all";
/** A statement and where it begins in the text. */
export type Chosen = { sql: string; start: number };
export type EditorHandle = { chosen: (what: RunWhat) => Chosen[]; insert: (text: string) => void };

type Props = {
  value: string;
  scope: Scope;
  /** A fault of the last run, where it stands in this text. */
  mark: { message: string; offset: number } | null;
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
  const [made, setMade] = useState<{ editor: MonacoEditor; monaco: Monaco } | null>(null);

  const mount = useCallback((editor: MonacoEditor, monaco: Monaco) => {
    setMade({ editor, monaco });
    const { KeyMod, KeyCode } = monaco;
    editor.addAction({ id: "run", label: "Run statement or selection", keybindings: [KeyMod.CtrlCmd | KeyCode.Enter], run: () => latest.current.onRun("statement") });
    editor.addAction({ id: "run-all", label: "Run all", keybindings: [KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.Enter], run: () => latest.current.onRun("all") });
    editor.addAction({ id: "save", label: "Save query", keybindings: [KeyMod.CtrlCmd | KeyCode.KeyS], run: () => latest.current.onSave() });
    latest.current.onHandle({
      chosen: (what) => chosenStatements(editor, what),
      insert: (text) => {
        editor.executeEdits("insert", [{ range: editor.getSelection() ?? new monaco.Range(1, 1, 1, 1), text, forceMoveMarkers: true }]);
        editor.focus();
      },
    });
    const unregister = registerCompletion(monaco, () => latest.current.scope);
    return () => {
      unregister();
      setMade(null);
    };
  }, []);

  const { mark } = props;
  useEffect(() => {
    const model = made?.editor.getModel();
    if (!made || !model) return;
    const { MarkerSeverity, editor } = made.monaco;
    if (!mark) {
      editor.setModelMarkers(model, "run", []);
      return;
    }
    const { lineNumber, column } = model.getPositionAt(mark.offset);
    const end = model.getWordAtPosition({ lineNumber, column })?.endColumn ?? Math.max(column + 1, model.getLineMaxColumn(lineNumber));
    editor.setModelMarkers(model, "run", [
      { severity: MarkerSeverity.Error, message: mark.message, startLineNumber: lineNumber, endLineNumber: lineNumber, startColumn: column, endColumn: end },
    ]);
    made.editor.revealLineInCenterIfOutsideViewport(lineNumber);
  }, [made, mark]);

  return <Editor language="sql" label="SQL editor" value={props.value} onChange={props.onChange} onMount={mount} />;
}

/** What is to run: the selection's statements, else all of them, else the one at the cursor. */
function chosenStatements(editor: MonacoEditor, what: RunWhat): Chosen[] {
  const model = editor.getModel();
  if (!model) return [];
  const whole = model.getValue();
  const selection = editor.getSelection();
  if (selection && !selection.isEmpty()) {
    const from = model.getOffsetAt(selection.getStartPosition());
    const text = model.getValueInRange(selection);
    return splitStatements(text).map(({ start, end }) => ({ sql: text.slice(start, end), start: from + start }));
  }
  if (what === "all") return splitStatements(whole).map(({ start, end }) => ({ sql: whole.slice(start, end), start }));
  const span = statementAt(whole, model.getOffsetAt(editor.getPosition() ?? { lineNumber: 1, column: 1 }));
  return span ? [{ sql: whole.slice(span.start, span.end), start: span.start }] : [];
}
