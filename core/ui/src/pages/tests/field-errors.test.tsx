import { act, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { describe, expect, it } from "vitest";
import { ApiError } from "../../ui/api";
import { fieldErrors, useFieldErrors } from "../access/field-errors";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
const problem = { type: "t", title: "t", status: 422, detail: "d", request_id: "r" };

describe("errors at fields", () => {
  it("stay while the field holds what was wrong, and only that field's goes when it changes", () => {
    let fail: (errors: Record<string, string>) => void = () => undefined;
    function Form(values: { name: string; reason: string }): ReactElement {
      const [errors, setErrors] = useFieldErrors(values);
      fail = setErrors;
      return <>{JSON.stringify(errors)}</>;
    }
    const host = document.createElement("div");
    const root = createRoot(host);
    act(() => root.render(<Form name="1" reason="" />));
    act(() => fail({ name: "no", reason: "say why" }));
    expect(host.textContent).toBe('{"name":"no","reason":"say why"}');
    act(() => root.render(<Form name="a" reason="" />));
    expect(host.textContent).toBe('{"reason":"say why"}');
  });

  it("are those of the API, by pointer, as sentences", () => {
    const error = new ApiError({ ...problem, errors: [{ pointer: "/permissions/3", detail: "is none that you hold" }] });
    expect(fieldErrors(error)).toEqual({ permissions: "Is none that you hold." });
  });

  it.each([new ApiError(problem), new TypeError("x")])("are none of %s, which is thrown again", (error) => {
    expect(() => fieldErrors(error)).toThrow(error);
  });
});
