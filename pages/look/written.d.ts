// What Python writes before the scripts; see look/scripts.py and stage/code.py.

type Concept = "attention" | "mlp" | "token" | "position" | "residual" | "sampling" | "watched";
type Ground = "paper" | "panel" | "line" | "text" | "muted" | "negative" | "positive" | "error";
/** The colours of the light and of the dark theme, by concept. */
declare const PALETTES: Record<"light" | "dark", Record<Concept | Ground, string>>;
/** A sentence on each term. */
declare const TERMS: Record<string, string>;
/** What each panel shows, and the terms that it uses. */
declare const SHOWN: Record<string, { shows: string; terms: string[] }>;
/** Of the stage's code: another one replaces what is mounted. */
declare const VERSION: string;
/** The stage's style sheet. */
declare const STYLES: string;
