// A web-worker extension host as far as the extension sees one: it evaluates the bundle's text, offers `vscode` and no
// other module, and tells the page what the status bar shows. Runs inside a Web Worker; the page says what to load.
import * as fake from './fakeVscode.ts';

export interface WebHostOrder {
  /** Of the extension's bundle. */
  readonly url: string;
  /** What the secret storage holds, by key. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface WebHostNews {
  readonly status?: string;
  readonly commands?: readonly string[];
  readonly ended?: boolean;
  readonly error?: string;
}

interface Extension {
  activate(context: unknown): { getSnapshot(): unknown };
  deactivate(): Promise<void>;
}

const nothing = { dispose: () => undefined };
const registered = new Set<string>();
const vscode = {
  ...fake,
  UIKind: { Desktop: 1, Web: 2 },
  ExtensionKind: { UI: 1, Workspace: 2 },
  env: { ...fake.env, uiKind: 2, remoteName: undefined },
  window: {
    ...fake.window,
    createOutputChannel: () => ({
      ...nothing,
      show() {},
      trace() {},
      debug() {},
      info() {},
      warn() {},
      error() {},
    }),
    createStatusBarItem: (id: string, alignment: number) => {
      const item = fake.window.createStatusBarItem(id, alignment);
      item.texts.push = (...texts) => {
        for (const status of texts) post({ status });
        return texts.length;
      };
      return item;
    },
    registerUriHandler: () => nothing,
    registerWebviewPanelSerializer: () => nothing,
  },
  authentication: { ...fake.authentication, registerAuthenticationProvider: () => nothing },
  commands: {
    ...fake.commands,
    registerCommand: (id: string) => {
      registered.add(id);
      return { dispose: () => registered.delete(id) };
    },
  },
};

self.addEventListener('message', ({ data }: MessageEvent<WebHostOrder | 'end'>) => {
  void (data === 'end' ? end() : start(data)).catch(error => post({ error: String(error) }));
});

const subscriptions: { dispose(): void }[] = [];
let extension: Extension | undefined;

async function start({ url, secrets }: WebHostOrder): Promise<void> {
  const source = await (await fetch(url)).text();
  const module = { exports: {} };
  // As the editor's worker host loads an extension.
  new Function('module', 'exports', 'require', source)(module, module.exports, (name: string) => {
    if (name === 'vscode') return vscode;
    throw new Error(`Cannot load module '${name}'`);
  });
  extension = module.exports as Extension;
  const kept = new Map(Object.entries(secrets));
  const values = new Map<string, unknown>();
  extension.activate({
    subscriptions,
    extension: { id: 'test.credits', extensionKind: 1, packageJSON: { version: '0.0.0' } },
    extensionUri: fake.Uri.parse('https://editor.example/extension'),
    globalStorageUri: fake.Uri.parse('https://editor.example/storage'),
    globalState: {
      keys: () => [...values.keys()],
      get: (key: string) => values.get(key),
      update: async (key: string, value: unknown) => void values.set(key, value),
    },
    secrets: {
      get: async (key: string) => kept.get(key),
      store: async (key: string, value: string) => void kept.set(key, value),
      delete: async (key: string) => void kept.delete(key),
      onDidChange: () => nothing,
    },
  });
  post({ commands: [...registered].toSorted((a, b) => (a < b ? -1 : 1)) });
}

async function end(): Promise<void> {
  await extension?.deactivate();
  for (const part of subscriptions) part.dispose();
  post({ ended: true, commands: [...registered] });
}

function post(news: WebHostNews): void {
  self.postMessage(news);
}
