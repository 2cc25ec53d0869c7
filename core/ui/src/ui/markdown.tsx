// The part of CommonMark that notes need, as React elements: no HTML is ever made from text. Links go to http(s) or
// into the console.
import type { ReactElement, ReactNode } from "react";

const INLINE = /(`[^`]+`)|(\*\*[^*]+\*\*)|(\*[^*\s][^*]*\*)|(\[[^\]]+\]\([^)\s]+\))/;

export function safeHref(target: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return /^(https?:\/\/|\/(?!\/))/i.test(target) && !/[\u0000-\u001f]/.test(target) ? target : null;
}

function inline(text: string): ReactNode[] {
  const out: ReactNode[] = [];
  let rest = text;
  for (let match = INLINE.exec(rest); match; match = INLINE.exec(rest)) {
    out.push(rest.slice(0, match.index));
    const [found] = match;
    const key = out.length;
    if (match[1]) out.push(<code key={key}>{found.slice(1, -1)}</code>);
    else if (match[2]) out.push(<strong key={key}>{found.slice(2, -2)}</strong>);
    else if (match[3]) out.push(<em key={key}>{found.slice(1, -1)}</em>);
    else {
      const cut = found.indexOf("](");
      const href = safeHref(found.slice(cut + 2, -1));
      const label = found.slice(1, cut);
      out.push(href ? <a key={key} href={href} rel="noreferrer">{label}</a> : label);
    }
    rest = rest.slice(match.index + found.length);
  }
  out.push(rest);
  return out;
}

export function Markdown({ text }: { text: string }): ReactElement {
  const blocks: ReactElement[] = [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? "";
    const key = at;
    if (line.startsWith("```")) {
      const end = lines.findIndex((l, i) => i > at && l.startsWith("```"));
      const stop = end < 0 ? lines.length : end;
      blocks.push(<pre key={key} className="mono">{lines.slice(at + 1, stop).join("\n")}</pre>);
      at = stop + 1;
    } else if (/^#{1,4}\s/.test(line)) {
      blocks.push(<h3 key={key}>{inline(line.replace(/^#+\s/, ""))}</h3>);
      at += 1;
    } else if (/^[-*]\s/.test(line)) {
      const items: string[] = [];
      while (/^[-*]\s/.test(lines[at] ?? "")) items.push((lines[at++] ?? "").slice(2));
      blocks.push(<ul key={key}>{items.map((item, i) => <li key={i}>{inline(item)}</li>)}</ul>);
    } else if (line.trim() === "") at += 1;
    else {
      const paragraph: string[] = [];
      while ((lines[at] ?? "").trim() !== "" && !/^(```|#{1,4}\s|[-*]\s)/.test(lines[at] ?? "")) paragraph.push(lines[at++] ?? "");
      blocks.push(<p key={key}>{inline(paragraph.join(" "))}</p>);
    }
  }
  return <div className="markdown stack">{blocks}</div>;
}
