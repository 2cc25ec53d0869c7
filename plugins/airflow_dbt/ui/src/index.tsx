import { definePlugin } from "@openlakes/ui";
import { DagPage } from "./DagPage";
import { Dags } from "./Dags";
import { RunPage } from "./RunPage";

export default definePlugin({ pages: { Dags, DagPage, RunPage }, slots: {} });
