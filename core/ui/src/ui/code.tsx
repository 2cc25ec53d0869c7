import type { ReactElement } from "react";
import { CodeBlock } from "./code-block";
import { Editor } from "./editor";

const HIGHLIGHTED = new Set(["sql", "yaml", "python", "markdown"]);
const LINE = 21;

/** Text in a fixed-width font; in a language that the editor knows, in its colours. */
export function Code({ text, language, title }: { text: string; language: string; title: string }): ReactElement {
  if (!HIGHLIGHTED.has(language)) return <CodeBlock text={text} label={`${title}, text`} />;
  const height = Math.min(420, text.split("\n").length * LINE + 18);
  return <Editor value={text} language={language} label={title} readOnly height={height} />;
}
