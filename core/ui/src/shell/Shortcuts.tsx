import { Modal } from "@mantine/core";
import type { ReactElement } from "react";
import { useReturnFocus } from "../ui/return-focus";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "Search or jump to, everywhere"],
  [["Ctrl", "Enter"], "Run the statement or the selection"],
  [["Ctrl", "S"], "Save the query"],
  [["Alt", "Shift", "T"], "In SQL: reopen the tab that was closed last"],
  [["g", "h"], "Home"],
  [["g", "s"], "SQL"],
  [["?"], "These shortcuts"],
  [["Esc"], "Close what is on top"],
  [["Ctrl", "C"], "In a grid: copy the selected cells (with Shift: with their names)"],
  [["Alt", "→"], "In a grid: widen the column"],
  [["Ctrl", "M"], "In an editor: let Tab leave it"],
];

export function Shortcuts({ onClose }: { onClose: () => void }): ReactElement {
  useReturnFocus();
  return (
    <Modal opened onClose={onClose} title="Keyboard shortcuts">
      <dl className="shortcuts">
        {KEYS.map(([keys, words]) => (
          <div key={words} style={{ display: "contents" }}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
