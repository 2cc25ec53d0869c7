import type { ReactElement } from "react";

export function Mark({ size = 22 }: { size?: number }): ReactElement {
  return (
    <svg width={size} height={size} viewBox="0 0 22 22" aria-hidden="true">
      <path d="M2 8c3-3 6 3 9 0s6 3 9 0M2 14c3-3 6 3 9 0s6 3 9 0" fill="none" stroke="var(--accent)" strokeWidth="2.2" strokeLinecap="round" />
    </svg>
  );
}
