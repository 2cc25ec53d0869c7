import { Modal } from "@mantine/core";
import type { ReactElement } from "react";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "Search or jump to, everywhere"],
  [["Ctrl", "Enter"], "Run the statement or the selection"],
  [["Ctrl", "S"], "Save the query"],
  [["g", "h"], "Home"],
  [["g", "s"], "SQL"],
  [["?"], "These shortcuts"],
  [["Esc"], "Close what is on top"],
  [["Ctrl", "M"], "In an editor: let Tab leave it"],
];

export function Shortcuts({ onClose }: { onClose: () => void }): ReactElement {
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
