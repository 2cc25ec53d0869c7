import { expect, it, vi } from "vitest";

type Given = { message: { props: { children: [string, string, { props: { children: string; onClick: () => void } }] } }; autoClose: number };

const shown = vi.hoisted(() => ({ show: vi.fn<(given: Given) => string>(() => "t1"), hide: vi.fn() }));
vi.mock("@mantine/notifications", () => ({ notifications: shown }));
const { toast } = await import("../toast");

it("offers to undo for long enough, and goes once that is taken", () => {
  const run = vi.fn();
  toast("info", "Closed “x”.", { label: "Undo", run });
  const given = shown.show.mock.calls[0]?.[0] as Given;
  expect(given.autoClose).toBe(10_000);
  const [words, , button] = given.message.props.children;
  expect([words, button.props.children]).toEqual(["Closed “x”.", "Undo"]);
  button.props.onClick();
  expect(run).toHaveBeenCalledOnce();
  expect(shown.hide).toHaveBeenCalledWith("t1");
});
