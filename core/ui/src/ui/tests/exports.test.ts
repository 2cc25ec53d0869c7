import { expect, it } from "vitest";
import * as ui from "../index";

// What plugins may use, by semver: a name that goes away is a new major version, one that comes a new minor one.
it("exports exactly the names of version 1.0", () => expect(Object.keys(ui).sort()).toMatchSnapshot());
