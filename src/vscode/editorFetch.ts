// The editor's own fetch: it knows the person's proxy and certificate settings. Looked up at each call, because the
// editor may put it in place after this file is loaded.

export const editorFetch: typeof fetch = (input, init) => globalThis.fetch(input, init);
