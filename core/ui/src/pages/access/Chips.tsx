import type { ReactElement } from "react";
import "./access.css";

/** Names side by side; "none" where there is none. */
export function Chips({ names }: { names: string[] }): ReactElement {
  if (names.length === 0) return <span className="t3">none</span>;
  return (
    <span className="chips">
      {names.map((name) => (
        <span className="tag" key={name}>
          {name}
        </span>
      ))}
    </span>
  );
}
