import type { ReactElement } from "react";

/** Text as it is, in a fixed-width font. What is too long for it scrolls, also by keyboard. */
export function CodeBlock({ text, label, className }: { text: string; label: string; className?: string }): ReactElement {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <pre className={className ? `code-block ${className}` : "code-block"} tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  );
}
