// @openlakes/ui 1.0: what plugins' modules may use. The design library underneath can change; these names stay.
export { definePlugin, type OpenLakesPlugin } from "./contract";
export { api, apiFetch, ApiError, currentCsrfToken, useApi, useApiMutation, type ApiOptions, type Grantor, type Problem } from "./api";
export { usePermission, usePortal, useSession, type Session } from "./session";
export { Slot, useSlotValue, type QueryResult } from "./slot";
export { getPreference, setPreference, usePreference } from "./preferences";
export { useEvents, type StreamState } from "./events";
export { formatAgo, formatBytes, formatClock, formatCount, formatDuration, formatNumber, formatUtc, pick, plural, pluralOf } from "./format";
export { csvField, toCsv } from "./csv";
export { Icon, ICONS } from "./icons";
export { Status, STATE_ORDER } from "./status";
export { Time, useNow } from "./time";
export { AskForAccess, GatedButton, type Missing } from "./access";
export { EmptyState, ErrorState, Loaded, Loading } from "./states";
export { PageHeader, Panel } from "./layout";
export { saveAs, Table, type TableColumn } from "./table";
export { DataGrid, type CellText, type GridColumn } from "./grid";
export { Editor, type EditorProps, type Monaco, type MonacoEditor } from "./editor";
export { Chart, type ChartKind, type ChartPoint } from "./chart";
export { Splitter } from "./splitter";
export { SchemaForm } from "./form";
export { ActionDialog, ActionForm, type ActionInfo } from "./actions";
export { CodeBlock } from "./code-block";
export { Markdown } from "./markdown";
export { LogLines, LogView } from "./log";
export { plainLine } from "./log-lines";
export { DeclaredPage, KeyValue, Timeline } from "./declared";
export { Value, type ValueKind } from "./value";
export { toast, type ToastAction } from "./toast";
export { reportRunning, type RunningThing } from "./running";
export {
  ActionIcon,
  Button,
  Checkbox,
  Drawer,
  Loader,
  Menu,
  Modal,
  NumberInput,
  Popover,
  SegmentedControl,
  Select,
  Skeleton,
  Switch,
  Tabs,
  Textarea,
  TextInput,
  Tooltip,
} from "@mantine/core";
export { Link, useNavigate, useSearchParams } from "react-router";
