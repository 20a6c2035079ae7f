// As much of the editor's API as our parts use, keeping what was done to it for a test to look at.
import { Emitter } from '../../src/core/event.ts';

export const l10n = {
  /** Of another language, as the editor hands it over; a test that sets it takes it away again. */
  bundle: undefined as Readonly<Record<string, string>> | undefined,
  t: (message: string, ...parts: ReadonlyArray<string | number>) =>
    (l10n.bundle?.[message] ?? message).replaceAll(/\{(\d+)\}/g, (whole, index: string) =>
      String(parts[Number(index)] ?? whole),
    ),
};

export class Uri {
  readonly scheme: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string;

  constructor(scheme: string, authority: string, path: string, query: string) {
    this.scheme = scheme;
    this.authority = authority;
    this.path = path;
    this.query = query;
  }

  static from(parts: { scheme: string; authority?: string; path?: string; query?: string }): Uri {
    return new Uri(parts.scheme, parts.authority ?? '', parts.path ?? '', parts.query ?? '');
  }

  static parse(text: string): Uri {
    const url = new URL(text);
    return new Uri(url.protocol.slice(0, -1), url.host, url.pathname, url.search.slice(1));
  }

  static file(path: string): Uri {
    return new Uri('file', '', path, '');
  }

  static joinPath(base: Uri, ...parts: string[]): Uri {
    return new Uri(base.scheme, base.authority, [base.path, ...parts].join('/'), base.query);
  }

  /** Like the editor's: unless told otherwise it encodes `=` and `&` in the query. */
  toString(skipEncoding = false): string {
    const query = skipEncoding ? this.query : encodeURIComponent(this.query);
    return `${this.scheme}://${this.authority}${this.path}${query === '' ? '' : `?${query}`}`;
  }
}

export class ThemeColor {
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

export class MarkdownString {
  value = '';
  isTrusted: unknown;
  supportHtml = false;

  /** The editor's own escaping. */
  appendText(text: string): this {
    this.value += text
      .replace(/[\\`*_{}[\]()#+\-!~]/g, '\\$&')
      .replace(/([ \t]+)/g, (_, blanks: string) => '&nbsp;'.repeat(blanks.length))
      .replace(/>/gm, '\\>')
      .replace(/\n/g, '\n\n');
    return this;
  }

  appendMarkdown(text: string): this {
    this.value += text;
    return this;
  }
}

export class LanguageModelTextPart {
  readonly value: string;

  constructor(value: string) {
    this.value = value;
  }
}

export class LanguageModelToolResult {
  readonly content: readonly unknown[];

  constructor(content: readonly unknown[]) {
    this.content = content;
  }
}

export interface LanguageModelTool {
  prepareInvocation(): unknown;
  invoke(): LanguageModelToolResult;
}

/** Without `registerTool` as some editors are. */
export const lm: { registerTool?: (name: string, tool: LanguageModelTool) => { dispose(): void } } = {
  registerTool: (name, tool) => {
    did.tools.set(name, tool);
    return { dispose: () => did.tools.delete(name) };
  },
};

export const StatusBarAlignment = { Left: 1, Right: 2 };
export const ViewColumn = { Active: -1 };

export interface FakeItem {
  id: string;
  text: string;
  name: string;
  command: string;
  tooltip: MarkdownString | undefined;
  backgroundColor: ThemeColor | undefined;
  accessibilityInformation: { label: string } | undefined;
  alignment: number;
  isDisposed: boolean;
  shows: number;
  texts: string[];
  /** How often something new was set for ears. */
  labels: number;
}

export interface Message {
  readonly level: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly actions: readonly string[];
}

/** An input box, and what the person does in it. */
export interface FakeBox {
  title: string;
  prompt: string;
  value: string;
  password: boolean;
  busy: boolean;
  enabled: boolean;
  validationMessage: string | undefined;
  readonly isOpen: boolean;
  /** Types over what is there. */
  type(text: string): void;
  /** Presses Enter, and resolves once the box takes the next one. */
  enter(): Promise<void>;
  /** Presses Escape. */
  leave(): void;
}

/** A notification that stands as long as something goes on. */
export interface FakeProgress {
  readonly title: string;
  readonly messages: readonly string[];
  readonly isOpen: boolean;
  cancel(): void;
}

export interface FakePanel {
  readonly title: string;
  readonly webview: { html: string };
  isDisposed: boolean;
  dispose(): void;
}

/** What was done, and what the person answers. */
export const did = {
  items: [] as FakeItem[],
  boxes: [] as FakeBox[],
  progresses: [] as FakeProgress[],
  panels: [] as FakePanel[],
  messages: [] as Message[],
  opened: [] as unknown[],
  clipboard: '',
  contexts: new Map<string, unknown>(),
  /** What the status bar said for a while. */
  passing: [] as string[],
  /** Tools for language models, by name. */
  tools: new Map<string, LanguageModelTool>(),
  /** By authentication provider: the labels of the accounts signed in. */
  accounts: new Map<string, string[]>(),
  settings: new Map<string, { globalValue?: unknown; workspaceValue?: unknown; defaultValue?: unknown }>(),
  answer: (_message: Message): string | undefined => undefined,
  pick: (_items: readonly unknown[]): unknown => undefined,
  type: (_options: { validateInput?: (text: string) => unknown }): string | undefined => undefined,
  saveAs: (_options: { defaultUri?: Uri }): Uri | undefined => undefined,
  reset(): void {
    this.items = [];
    this.boxes = [];
    this.progresses = [];
    this.panels = [];
    this.messages = [];
    this.opened = [];
    this.clipboard = '';
    this.contexts.clear();
    this.passing = [];
    this.tools.clear();
    this.settings.clear();
    this.accounts.clear();
    this.answer = () => undefined;
    this.pick = () => undefined;
    this.type = () => undefined;
    this.saveAs = () => undefined;
  },
};

function show(level: Message['level']) {
  return async (text: string, ...actions: string[]) => {
    const message = { level, text, actions };
    did.messages.push(message);
    return did.answer(message);
  };
}

export class EventEmitter<T> extends Emitter<T> {}

/** What is registered with the editor now, by name; disposing takes it out. */
export const registered = new Set<string>();

function register(name: string): { dispose: () => void } {
  registered.add(name);
  return { dispose: () => registered.delete(name) };
}

export const ProgressLocation = { Notification: 15 };
export const UIKind = { Desktop: 1, Web: 2 };
export const ExtensionKind = { UI: 1, Workspace: 2 };

export const authentication = {
  registerAuthenticationProvider: (id: string) => register(`authentication ${id}`),
  getAccounts: async (provider: string) =>
    (did.accounts.get(provider) ?? []).map(label => ({ id: label, label })),
};

export const windowState = new Emitter<{ focused: boolean }>();
export const configurationChanged = new Emitter<{ affectsConfiguration: (section: string) => boolean }>();

export const window = {
  state: { focused: true },
  onDidChangeWindowState: windowState.event,
  showInformationMessage: show('info'),
  showWarningMessage: show('warning'),
  showErrorMessage: show('error'),
  setStatusBarMessage: (text: string) => void did.passing.push(text),
  showQuickPick: async (items: readonly unknown[]) => did.pick(items),
  showSaveDialog: async (options: { defaultUri?: Uri }) => did.saveAs(options),
  showInputBox: async (options: { validateInput?: (text: string) => unknown }) => did.type(options),
  createInputBox: () => inputBox(),
  withProgress: async (
    { title }: { title: string },
    act: (
      progress: { report: (step: { message: string }) => void },
      token: { onCancellationRequested: Emitter<void>['event'] },
    ) => Promise<unknown>,
  ) => {
    const canceled = new Emitter<void>();
    const messages: string[] = [];
    const progress = { title, messages, isOpen: true, cancel: () => canceled.fire() };
    did.progresses.push(progress);
    try {
      return await act(
        { report: ({ message }) => void messages.push(message) },
        { onCancellationRequested: canceled.event },
      );
    } finally {
      progress.isOpen = false;
      canceled.dispose();
    }
  },
  createWebviewPanel: (_type: string, title: string) => {
    const panel = {
      title,
      webview: { html: '' },
      isDisposed: false,
      dispose: () => {
        panel.isDisposed = true;
      },
    };
    did.panels.push(panel);
    return panel;
  },
  createOutputChannel: (name: string) => {
    const write = () => undefined;
    const lines = { trace: write, debug: write, info: write, warn: write, error: write, show: write };
    return { ...register(`channel ${name}`), ...lines };
  },
  registerUriHandler: () => register('uri handler'),
  registerWebviewViewProvider: (id: string) => register(`view ${id}`),
  registerWebviewPanelSerializer: (type: string) => register(`serializer ${type}`),
  createStatusBarItem: (id: string, alignment: number) => {
    let text = '';
    let label: { label: string } | undefined;
    const item = {
      id,
      name: '',
      command: '',
      tooltip: undefined,
      backgroundColor: undefined,
      alignment,
      isDisposed: false,
      labels: 0,
      get accessibilityInformation() {
        return label;
      },
      set accessibilityInformation(value: { label: string } | undefined) {
        label = value;
        item.labels++;
      },
      shows: 0,
      texts: [] as string[],
      get text() {
        return text;
      },
      set text(value: string) {
        text = value;
        item.texts.push(value);
      },
      show: () => {
        item.shows++;
      },
      dispose: () => {
        item.isDisposed = true;
      },
    };
    did.items.push(item);
    return item;
  },
};

function inputBox() {
  const changed = new Emitter<string>();
  const accepted = new Emitter<void>();
  const hidden = new Emitter<void>();
  let pending: Promise<void> | undefined;
  const box = {
    title: '',
    prompt: '',
    placeholder: '',
    value: '',
    password: false,
    busy: false,
    enabled: true,
    ignoreFocusOut: false,
    validationMessage: undefined as string | undefined,
    isOpen: false as boolean,
    onDidChangeValue: changed.event,
    onDidAccept: (listener: () => void | Promise<void>) =>
      accepted.event(() => {
        pending = Promise.resolve(listener());
      }),
    onDidHide: hidden.event,
    show: () => {
      box.isOpen = true;
    },
    hide: () => {
      if (box.isOpen) {
        box.isOpen = false;
        hidden.fire();
      }
    },
    dispose: () => box.hide(),
    type: (text: string) => {
      box.value = text;
      changed.fire(text);
    },
    enter: async () => {
      accepted.fire();
      await pending;
    },
    leave: () => box.hide(),
  };
  did.boxes.push(box);
  return box;
}

export class FileSystemError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export class RelativePattern {}

/** The editor's file system: path to text. */
export const disk: {
  files: Map<string, string>;
  /** Of files that are not new. */
  writtenAtMs: Map<string, number>;
  fails: boolean;
  drafts: number;
} = {
  files: new Map(),
  writtenAtMs: new Map(),
  fails: false,
  drafts: 0,
};

function onDisk<T>(act: () => T): Promise<T> {
  return disk.fails ? Promise.reject(new FileSystemError('NoPermissions')) : Promise.resolve().then(act);
}

function textOf(uri: Uri): string {
  const text = disk.files.get(uri.path);
  if (text === undefined) {
    throw new FileSystemError('FileNotFound');
  }
  return text;
}

const fs = {
  createDirectory: () => onDisk(() => undefined),
  readFile: (uri: Uri) => onDisk(() => new TextEncoder().encode(textOf(uri))),
  writeFile: (uri: Uri, bytes: Uint8Array) =>
    onDisk(() => {
      disk.files.set(uri.path, new TextDecoder().decode(bytes));
    }),
  /**
   * As the editor does it: it looks whether there is something, takes that away, which fails when another has done so
   * meanwhile, and some turns later the new one is in its place.
   */
  rename: async (from: Uri, to: Uri) => {
    if (await onDisk(() => disk.files.has(to.path))) {
      await onDisk(() => {
        textOf(to);
        disk.files.delete(to.path);
      });
    }
    await new Promise(resolve => setImmediate(resolve));
    await onDisk(() => {
      disk.drafts++;
      disk.files.set(to.path, textOf(from));
      disk.files.delete(from.path);
    });
  },
  stat: (uri: Uri) => onDisk(() => ({ mtime: disk.writtenAtMs.get(uri.path) ?? Date.now() })),
  delete: (uri: Uri) =>
    onDisk(() => {
      textOf(uri);
      disk.files.delete(uri.path);
    }),
  readDirectory: (uri: Uri) =>
    onDisk(() =>
      [...disk.files.keys()]
        .filter(path => path.startsWith(`${uri.path}/`))
        .map(path => [path.slice(uri.path.length + 1), 1]),
    ),
};

export const fileChanged = new Emitter<Uri>();

export const workspace = {
  fs,
  createFileSystemWatcher: () => ({
    onDidCreate: fileChanged.event,
    onDidChange: fileChanged.event,
    onDidDelete: fileChanged.event,
    dispose: () => undefined,
  }),
  onDidChangeConfiguration: configurationChanged.event,
  getConfiguration: () => ({
    inspect: (key: string) => did.settings.get(key),
    // All settings have application scope, where a workspace has no say.
    get: (key: string) => did.settings.get(key)?.globalValue ?? did.settings.get(key)?.defaultValue,
  }),
};

export const env = {
  language: 'en',
  uriScheme: 'vscode-test',
  uiKind: UIKind.Desktop,
  remoteName: undefined,
  clipboard: {
    writeText: async (text: string) => {
      did.clipboard = text;
    },
  },
  openExternal: async (target: unknown) => {
    did.opened.push(target);
    return true;
  },
  asExternalUri: async (uri: Uri) => uri,
};

export const commands = {
  registerCommand: (id: string) => register(`command ${id}`),
  executeCommand: async (command: string, key: string, value: unknown) => {
    if (command === 'setContext') {
      did.contexts.set(key, value);
    }
  },
};
