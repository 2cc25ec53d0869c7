import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Markdown, safeHref } from "../markdown";

const html = (text: string): string => renderToStaticMarkup(<Markdown text={text} />);

describe("markdown", () => {
  it("draws headings, lists, code and emphasis", () => {
    const out = html("# Title\n\nSome **bold** and *soft* `code`\n\n- one\n- two\n\n```\n<b>x</b>\n```");
    expect(out).toContain("<h3>Title</h3>");
    expect(out).toContain("<strong>bold</strong>");
    expect(out).toContain("<li>two</li>");
    expect(out).toContain("&lt;b&gt;x&lt;/b&gt;");
  });

  it.each(["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "a <b onclick=x>b</b>"])("never makes HTML of %s", (text) =>
    expect(html(text)).not.toMatch(/<(img|script|b)\b/),
  );

  it.each(["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.example", "vbscript:x", "java\u0000script:x"])(
    "does not link to %s",
    (target) => {
      expect(safeHref(target)).toBeNull();
      expect(html(`[x](${target})`)).not.toContain("<a");
    },
  );

  it("links to the web and into the console", () => {
    expect(html("[docs](https://example.org/a)")).toContain('href="https://example.org/a"');
    expect(html("[here](/operate/health)")).toContain('href="/operate/health"');
  });

  it("ends on any text", () => {
    for (const text of ["#", "```", "-", "* ", "[a](", "**", "`", "\n\n\n", "#no space\n- "]) expect(() => html(text)).not.toThrow();
  });
});
