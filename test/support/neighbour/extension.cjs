// Another extension in the same host, which does whatever a test tells it: it may do all that any extension may.
const { createServer } = require('node:http');
const { text } = require('node:stream/consumers');
const vscode = require('vscode');

const AsyncFunction = (async () => {}).constructor;

exports.activate = context => {
  const server = createServer((request, response) => {
    text(request)
      .then(code => new AsyncFunction('vscode', 'require', code)(vscode, require))
      .then(
        value => response.end(JSON.stringify({ value })),
        error => response.end(JSON.stringify({ error: String(error?.stack ?? error) })),
      );
  });
  server.listen(Number(process.env.NEIGHBOUR_PORT), '127.0.0.1');
  context.subscriptions.push({
    dispose: () => {
      server.close();
      server.closeAllConnections();
    },
  });
};
