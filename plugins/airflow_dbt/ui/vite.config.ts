import { pluginBuild } from "../../../core/ui/build/plugin.ts";

export default pluginBuild({ root: import.meta.dirname, outDir: "../src/openlakes_portal_airflow_dbt/static" });
