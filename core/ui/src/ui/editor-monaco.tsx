import "monaco-editor/features/register.all.js";
import "monaco-editor/languages/definitions/sql/register.js";
import "monaco-editor/languages/definitions/yaml/register.js";
import "monaco-editor/languages/definitions/python/register.js";
import "monaco-editor/languages/definitions/markdown/register.js";
import * as monaco from "monaco-editor/editor/editor.api.js";
import { useEffect, useEffectEvent, useRef, type ReactElement } from "react";
import type { EditorProps } from "./editor";
import { longHex } from "../theme/hex";
import { usePreference } from "./preferences";

export type Monaco = typeof monaco;
export type MonacoEditor = monaco.editor.IStandaloneCodeEditor;

function defineTheme(dark: boolean): string {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => longHex(style.getPropertyValue(`--${name}`));
  const plain = (name: string): string => colour(name).replace("#", "");
  const name = dark ? "openlakes-dark" : "openlakes-light";
  monaco.editor.defineTheme(name, {
    base: dark ? "vs-dark" : "vs",
    inherit: true,
    rules: [
      { token: "", foreground: plain("text") },
      ...["", ".sql", ".yaml", ".python", ".md"].flatMap((language) => [
        { token: `keyword${language}`, foreground: plain("c3"), fontStyle: "bold" },
        // In SQL the grammar calls AND, JOIN and IN operators too: they read as the keywords that they are.
        { token: `operator${language}`, foreground: plain(language === ".sql" ? "c3" : "text-2"), fontStyle: language === ".sql" ? "bold" : "" },
        { token: `predefined${language}`, foreground: plain("info") },
        { token: `type${language}`, foreground: plain("info") },
        { token: `string${language}`, foreground: plain("ok") },
        // Not a colour of the charts: text must stand out (4.5 to 1) from the line at the cursor and from a selection too.
        { token: `number${language}`, foreground: plain("warn") },
        { token: `comment${language}`, foreground: plain("text-3"), fontStyle: "italic" },
      ]),
      { token: "identifier.quote", foreground: plain("text") },
      { token: "delimiter", foreground: plain("text-2") },
    ],
    colors: {
      "editor.background": colour("surface"),
      "editor.foreground": colour("text"),
      "editor.lineHighlightBackground": colour("sunken"),
      "editor.lineHighlightBorder": colour("sunken"),
      "editorLineNumber.foreground": colour("text-3"),
      "editorLineNumber.activeForeground": colour("text-2"),
      "editorCursor.foreground": colour("accent"),
      "editor.selectionBackground": colour("accent-soft"),
      "editorWidget.background": colour("raised"),
      "editorWidget.border": colour("line-strong"),
      "editorSuggestWidget.selectedBackground": colour("accent-soft"),
      "editorSuggestWidget.selectedForeground": colour("text"),
      "editorSuggestWidget.highlightForeground": colour("accent"),
      "editorSuggestWidget.focusHighlightForeground": colour("accent"),
      "editorError.foreground": colour("bad"),
      ...Object.fromEntries([1, 2, 3, 4, 5, 6].map((depth) => [`editorBracketHighlight.foreground${depth}`, colour("text-2")])),
      "focusBorder": colour("accent"),
    },
  });
  return name;
}

function options(props: EditorProps): monaco.editor.IStandaloneEditorConstructionOptions {
  return {
    value: props.value,
    language: props.language,
    ariaLabel: props.label,
    readOnly: props.readOnly,
    automaticLayout: true,
    minimap: { enabled: false },
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    fontSize: 13,
    lineHeight: 21,
    fontLigatures: false,
    lineNumbersMinChars: 4,
    padding: { top: 8, bottom: 8 },
    scrollBeyondLastLine: false,
    fixedOverflowWidgets: true,
    renderLineHighlight: "line",
    overviewRulerLanes: 0,
    bracketPairColorization: { enabled: false },
    guides: { indentation: false },
    wrappingStrategy: "simple",
    tabSize: 2,
    suggest: { showWords: false },
    quickSuggestions: { other: true, comments: false, strings: false },
    unicodeHighlight: { ambiguousCharacters: true },
  };
}

export default function MonacoInstance(props: EditorProps): ReactElement {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<MonacoEditor | null>(null);
  const create = useEffectEvent((element: HTMLElement) => monaco.editor.create(element, options(props)));
  const changed = useEffectEvent((value: string) => props.onChange?.(value));
  const mounted = useEffectEvent((made: MonacoEditor) => props.onMount?.(made, monaco));
  const theme = usePreference("theme", "system");

  useEffect(() => {
    const apply = (): void => monaco.editor.setTheme(defineTheme(document.documentElement.dataset["theme"] === "dark"));
    apply();
    const observer = new MutationObserver(apply);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => observer.disconnect();
  }, [theme]);

  useEffect(() => {
    if (!host.current) return undefined;
    const made = create(host.current);
    editor.current = made;
    const listening = made.onDidChangeModelContent(() => changed(made.getValue()));
    const leave = mounted(made);
    return () => {
      leave?.();
      listening.dispose();
      made.dispose();
    };
  }, []);

  useEffect(() => {
    const made = editor.current;
    if (made && made.getValue() !== props.value) made.setValue(props.value);
  }, [props.value]);

  useEffect(() => editor.current?.updateOptions({ readOnly: props.readOnly }), [props.readOnly]);

  return <div ref={host} className="editor" style={{ height: props.height ?? "100%" }} />;
}
