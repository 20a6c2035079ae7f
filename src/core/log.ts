// What parts write their log to; vscode.LogOutputChannel has this shape. Nothing secret is ever passed in.

export interface Log {
  trace(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
