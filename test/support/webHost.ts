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
  readonly registered?: readonly string[];
  readonly ended?: boolean;
  readonly error?: string;
}

interface Extension {
  activate(context: unknown): { getSnapshot(): unknown };
  deactivate(): Promise<void>;
}

const vscode = {
  ...fake,
  env: { ...fake.env, uiKind: fake.UIKind.Web },
  window: {
    ...fake.window,
    createStatusBarItem: (id: string, alignment: number) => {
      const item = fake.window.createStatusBarItem(id, alignment);
      item.texts.push = (...texts) => {
        for (const status of texts) post({ status });
        return texts.length;
      };
      return item;
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
      onDidChange: () => ({ dispose: () => undefined }),
    },
  });
  post({ registered: [...fake.registered] });
}

async function end(): Promise<void> {
  await extension?.deactivate();
  for (const part of subscriptions) part.dispose();
  post({ ended: true, registered: [...fake.registered] });
}

function post(news: WebHostNews): void {
  self.postMessage(news);
}
