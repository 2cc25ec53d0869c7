/// <reference types="vite/client" />
declare module "monaco-editor/features/register.all.js";
declare module "monaco-editor/languages/definitions/*";
